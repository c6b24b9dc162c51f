//! The plan of a network: steps, buffers, arithmetic, memory.

use crate::paint::Paint;
use crate::plan::{Cost, Id, Kind, Plan, Step, Storage};
use crate::table::{Column, Table, facts};
use crate::text::count;
use serde_json::{Value, json};

/// Writes the steps of `plan` as a table that fits a terminal of `room` columns, then the totals;
/// with `all`, also the buffers.
pub fn plan_table(plan: &Plan, all: bool, room: Option<usize>) -> String {
    let mut steps = Table::new(vec![
        Column::words("path").at_least(16),
        Column::words("step").at_least(16),
        Column::words("makes").rank(3),
        Column::numbers("FLOPs").rank(1),
        Column::numbers("bytes").rank(2),
    ]);
    steps.ruled = true;
    plan.steps().for_each(|step| steps.row(row(plan, step)));
    let mut out = steps.text(Paint(false), room);
    if all {
        let mut buffers = Table::new(vec![
            Column::words("buffer").at_least(16),
            Column::words("holds").rank(2),
            Column::words("where").rank(1),
            Column::numbers("bytes"),
        ]);
        buffers.ruled = true;
        (0..plan.buffers.len()).for_each(|index| buffers.row(buffer_row(plan, Id(index))));
        out.push('\n');
        out.push_str(&buffers.text(Paint(false), room));
    }
    let cost = total(plan);
    let numbers = [
        ("batch", plan.batch.to_string()),
        ("steps", plan.steps().count().to_string()),
        ("arithmetic", format!("{}FLOP", count(cost.flops.into()))),
        ("traffic", format!("{}B", count(cost.bytes.into()))),
        ("arena", format!("{}B", count(plan.arena_bytes() as u128))),
        (
            "peak memory",
            format!("{}B", count(plan.peak_bytes() as u128)),
        ),
    ];
    out.push('\n');
    out.push_str(&facts(numbers, 0, Paint(false), room));
    out
}

/// Formats `plan` as JSON, for programs.
pub fn plan_json(plan: &Plan) -> Value {
    let steps = plan.steps().map(|step| {
        let names = |ids: &[Id]| -> Vec<usize> { ids.iter().map(|id| id.0).collect() };
        let cost = Cost::of_step(plan, step);
        json!({
            "path": step.path,
            "step": step.action.name(),
            "reads": names(&step.reads),
            "writes": names(&step.writes),
            "workspace": step.workspace.map(|id| id.0),
            "flops": cost.flops,
            "bytes": cost.bytes,
        })
    });
    let buffers = plan.buffers.iter().map(|buffer| {
        let (place, offset) = where_it_is(plan, buffer.storage);
        json!({
            "name": buffer.name,
            "elements": buffer.elements,
            "place": place,
            "offset": offset,
        })
    });
    let cost = total(plan);
    json!({
        "batch": plan.batch,
        "steps": steps.collect::<Vec<_>>(),
        "buffers": buffers.collect::<Vec<_>>(),
        "flops": cost.flops,
        "bytes": cost.bytes,
        "arena_bytes": plan.arena_bytes(),
        "peak_bytes": plan.peak_bytes(),
    })
}

fn total(plan: &Plan) -> Cost {
    plan.steps()
        .map(|step| Cost::of_step(plan, step))
        .fold(Cost::default(), Cost::plus)
}

fn row(plan: &Plan, step: &Step) -> Vec<String> {
    let makes = step.writes.first().map(|&id| holds(plan, id));
    let cost = Cost::of_step(plan, step);
    let flops = match cost.flops {
        0 => String::new(),
        flops => count(flops.into()),
    };
    vec![
        step.path.clone(),
        step.action.name().to_string(),
        makes.unwrap_or_default(),
        flops,
        count(cost.bytes.into()),
    ]
}

fn buffer_row(plan: &Plan, id: Id) -> Vec<String> {
    let buffer = plan.buffer(id);
    let place = match where_it_is(plan, buffer.storage) {
        (place, Some(offset)) => format!("{place} + {offset}"),
        (place, None) => place.to_string(),
    };
    let bytes = buffer.elements.saturating_mul(size_of::<f32>());
    vec![
        buffer.name.clone(),
        holds(plan, id),
        place,
        count(bytes as u128),
    ]
}

/// Returns the region, and in the arena the bytes before it.
fn where_it_is(plan: &Plan, storage: Storage) -> (&'static str, Option<usize>) {
    match storage {
        Storage::Tensor(_) => ("network", None),
        Storage::Gradient(_) => ("gradients", None),
        Storage::Slot { slot, .. } => (plan.slots[slot].nouns[1], None),
        Storage::Arena { offset } => ("arena", Some(offset.saturating_mul(size_of::<f32>()))),
    }
}

fn holds(plan: &Plan, id: Id) -> String {
    let times = |shape: &[usize]| {
        let words: Vec<String> = shape.iter().map(usize::to_string).collect();
        words.join("×")
    };
    match &plan.buffer(id).kind {
        Kind::Map(shape) => format!("{}×{shape}", plan.batch),
        Kind::Tensor(shape) => times(shape),
        Kind::Rows(rows, channels) => format!("{rows}×{channels}"),
        Kind::Scratch => "scratch".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::check;
    use crate::diag::Sources;
    use crate::engines::cpu::Cpu;
    use crate::plan::Purpose;

    #[test]
    fn every_step_and_buffer_is_shown() {
        let text =
            "model m { input image(1, 8, 8) skip variable { conv(4, kernel: 3) relu } linear(2) }";
        let model = check(&mut Sources::new("test.van", text), &[], false);
        let model = model.unwrap_or_else(|_| panic!("{text} has mistakes"));
        let plan = Plan::new(
            &model,
            3,
            Purpose::Training,
            &Cpu {
                threads: 2,
                winograd: true,
            },
        )
        .unwrap();
        let table = plan_table(&plan, true, None);
        for words in [
            "skip0.conv0",
            "convolve: weight gradient",
            "sgd",
            "3×4×8×8",
            "arena + ",
        ] {
            assert!(table.contains(words), "{words} is not in\n{table}");
        }
        let json = plan_json(&plan);
        assert_eq!(json["peak_bytes"], plan.peak_bytes());
        assert_eq!(
            json["buffers"].as_array().unwrap().len(),
            plan.buffers.len()
        );
    }
}
