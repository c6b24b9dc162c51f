//! Arrangement of a sweep in figures: one axis goes along each figure, one has a line for
//! each value, and the others have figures of their own.

use super::sweep::{Run, Sweep};
use crate::sweep::grid::Axis;
use crate::sweep::results::Status;
use crate::train::config::Config;

/// Axes that may go along a figure; the first that the sweep has does.
const DEPTHS: [&str; 3] = ["depth", "n", "layers"];
/// Axis that has a line for each of its values.
const POLICY: &str = "policy";

/// A sweep arranged in figures, lines and points.
#[derive(Debug)]
pub struct View<'a> {
    /// Axis along the figures.
    pub along: Option<Along>,
    /// Name of the axis that has a line for each value.
    pub series_axis: Option<String>,
    /// Values of that axis; a single empty one without such an axis.
    pub series: Vec<String>,
    /// Groups of runs with figures of their own, one for each combination of the other axes.
    pub facets: Vec<Facet<'a>>,
}

/// The numeric axis along the figures.
#[derive(Debug)]
pub struct Along {
    /// Name of the axis.
    pub axis: String,
    /// Label of the axis in figures.
    pub label: String,
    /// Values as written, in increasing order.
    pub values: Vec<String>,
    /// Position of each value: the value itself, or the number of layers that it makes.
    pub positions: Vec<f64>,
}

/// Runs of one combination of the other axes.
#[derive(Debug)]
pub struct Facet<'a> {
    /// Name of the combination, such as `width = 16`; empty without other axes.
    pub name: String,
    /// Cells of the combination.
    pub cells: Vec<Cell<'a>>,
}

/// Runs that differ in their seed alone.
#[derive(Debug)]
pub struct Cell<'a> {
    /// Index of the value along the figure.
    pub along: usize,
    /// Index of the line.
    pub series: usize,
    /// Runs that have ended well.
    pub runs: Vec<&'a Run>,
}

impl<'a> View<'a> {
    /// Arranges `sweep`; `layers` counts the layers of a run's network.
    pub fn new(sweep: &'a Sweep, layers: &dyn Fn(&Run) -> Option<usize>) -> View<'a> {
        let axes = &sweep.settings.grid.axes;
        let x = choose_along(axes);
        let series_axis = choose_series(axes, x);
        let along = x.map(|axis| arrange(axis, sweep, layers));
        let others: Vec<&Axis> = axes
            .iter()
            .filter(|axis| Some(*axis) != x && Some(*axis) != series_axis)
            .collect();
        let series = match series_axis {
            Some(axis) => axis.values.clone(),
            None => vec![String::new()],
        };
        let mut view = View {
            along,
            series_axis: series_axis.map(|axis| axis.name.clone()),
            series,
            facets: Vec::new(),
        };
        for run in &sweep.runs {
            view.place(run, &others);
        }
        view.facets.iter_mut().for_each(|facet| {
            facet.cells.sort_by_key(|cell| (cell.along, cell.series));
        });
        view
    }

    /// Puts a run into its cell. A run that is not of the grid is left out.
    fn place(&mut self, run: &'a Run, others: &[&Axis]) {
        let value = |axis: &str| run.row.axis(axis);
        let index = |axis: Option<&str>, values: &[String]| match axis {
            Some(axis) => values.iter().position(|v| Some(v.as_str()) == value(axis)),
            None => Some(0),
        };
        let along = match &self.along {
            Some(along) => index(Some(&along.axis), &along.values),
            None => Some(0),
        };
        let series = index(self.series_axis.as_deref(), &self.series);
        let (Some(along), Some(series)) = (along, series) else {
            return;
        };
        let parts: Vec<String> = others
            .iter()
            .map(|axis| {
                let value = value(&axis.name).unwrap_or("?");
                format!("{} = {value}", axis.name)
            })
            .collect();
        let name = parts.join(", ");
        let index = match self.facets.iter().position(|facet| facet.name == name) {
            Some(index) => index,
            None => {
                let cells = Vec::new();
                self.facets.push(Facet { name, cells });
                self.facets.len() - 1
            }
        };
        let cells = &mut self.facets[index].cells;
        let same = |cell: &&mut Cell| (cell.along, cell.series) == (along, series);
        let done = run.row.status == Status::Done;
        match cells.iter_mut().find(same) {
            Some(cell) => cell.runs.extend(done.then_some(run)),
            None => cells.push(Cell {
                along,
                series,
                runs: done.then_some(run).into_iter().collect(),
            }),
        }
    }

    /// Writes the value along the figures, as a person says it: `depth = 30`, `34 layers`.
    pub fn label_along(&self, along: usize) -> String {
        match &self.along {
            None => String::new(),
            Some(axis) => match axis.values.get(along) {
                None => String::new(),
                Some(_) if axis.label == LAYERS => format!("{} layers", axis.positions[along]),
                Some(value) => format!("{} = {value}", axis.axis),
            },
        }
    }

    /// Returns the name of a line in the legend: a policy by itself, another value with its axis.
    pub fn name(&self, series: usize) -> String {
        let value = self.series.get(series).map_or("", String::as_str);
        match self.series_axis.as_deref() {
            None => String::new(),
            Some(POLICY) => value.to_string(),
            Some(axis) => format!("{axis} = {value}"),
        }
    }

    /// Lists the headings of a table's columns.
    pub fn columns(&self) -> Vec<String> {
        match &self.along {
            None => vec!["all".into()],
            Some(axis) => (0..axis.values.len())
                .map(|i| self.label_along(i))
                .collect(),
        }
    }
}

/// Label of the axis in figures that count layers.
const LAYERS: &str = "layers";

fn numbers(axis: &Axis) -> Option<Vec<f64>> {
    let parse = |value: &String| value.parse().ok().filter(|x: &f64| x.is_finite());
    axis.values.iter().map(parse).collect()
}

fn choose_along(axes: &[Axis]) -> Option<&Axis> {
    let numeric = |axis: &&Axis| numbers(axis).is_some() && axis.name != POLICY;
    let named = |name: &str| axes.iter().find(|axis| axis.name == name && numeric(axis));
    DEPTHS.iter().find_map(|name| named(name)).or_else(|| {
        let several = |axis: &&Axis| numeric(axis) && axis.values.len() > 1;
        axes.iter().find(several)
    })
}

fn choose_series<'a>(axes: &'a [Axis], x: Option<&Axis>) -> Option<&'a Axis> {
    let rest = || axes.iter().filter(|axis| Some(*axis) != x);
    rest()
        .find(|axis| axis.name == POLICY)
        .or_else(|| rest().find(|axis| numbers(axis).is_none()))
        .or_else(|| rest().next())
}

/// Sorts the values of an axis; for `n`, finds the number of layers that each value makes.
fn arrange(axis: &Axis, sweep: &Sweep, layers: &dyn Fn(&Run) -> Option<usize>) -> Along {
    let mut pairs: Vec<(f64, String)> = numbers(axis)
        .unwrap_or_default()
        .into_iter()
        .zip(axis.values.iter().cloned())
        .collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut positions, values): (Vec<f64>, Vec<String>) = pairs.into_iter().unzip();
    let mut label = axis.name.clone();
    if axis.name == "n" {
        let count = |value: &String| {
            let is_trained = |run: &&Run| run.row.axis("n") == Some(value) && run.config.is_some();
            sweep
                .runs
                .iter()
                .find(is_trained)
                .and_then(layers)
                .map(|n| n as f64)
        };
        let counted: Option<Vec<f64>> = values.iter().map(count).collect();
        if let Some(counted) = counted.filter(|c| c.is_sorted_by(|a, b| a < b)) {
            positions = counted;
            label = LAYERS.into();
        }
    }
    Along {
        axis: axis.name.clone(),
        label,
        values,
        positions,
    }
}

/// Returns the policy of a run, if its file has a param `policy`.
pub fn policy(config: &Config) -> Option<String> {
    let params = config.params().into_iter();
    params
        .filter(|(name, _)| name == POLICY)
        .map(|(_, value)| value)
        .next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(name: &str, values: &[&str]) -> Axis {
        Axis {
            name: name.into(),
            values: values.iter().map(|value| value.to_string()).collect(),
        }
    }

    /// Names of the axis along the figures and of the axis of the lines.
    fn chosen(axes: &[Axis]) -> (Option<&str>, Option<&str>) {
        let x = choose_along(axes);
        let name = |axis: Option<&'_ Axis>| axis.map(|axis| axis.name.clone());
        let find = |name: Option<String>| {
            let name = name?;
            let axis = axes.iter().find(|axis| axis.name == name)?;
            Some(axis.name.as_str())
        };
        (find(name(x)), find(name(choose_series(axes, x))))
    }

    #[test]
    fn depth_goes_along_and_policies_are_lines() {
        let rate = axis("rate", &["0.1", "1e-2"]);
        let policy = axis("policy", &["plain", "variable(lambda: 0)"]);
        let depth = axis("depth", &["1", "30"]);
        let init = axis("init", &["he_normal", "orthogonal"]);
        let all = [rate.clone(), init.clone(), policy.clone(), depth.clone()];
        assert_eq!(chosen(&all), (Some("depth"), Some("policy")));
        assert_eq!(chosen(&all[..2]), (Some("rate"), Some("init")));
        assert_eq!(chosen(&all[1..3]), (None, Some("policy")));
        assert_eq!(chosen(&[rate, depth]), (Some("depth"), Some("rate")));
        // What is no number cannot be along a figure.
        assert_eq!(
            chosen(&[axis("depth", &["1", "NaN"])]),
            (None, Some("depth"))
        );
        assert_eq!(chosen(&[]), (None, None));
    }
}
