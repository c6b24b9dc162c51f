//! Figures and tables from the logs of runs.

pub mod chart;
