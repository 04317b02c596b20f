//! Samples of one target's requests, and their percentiles.

/// The duration of each request, and the CPU time of all, in ms.
#[derive(Default)]
pub struct Samples {
    pub durations: Vec<f64>,
    pub total_cpu: f64,
    pub total_database_cpu: f64,
}

impl Samples {
    pub fn p50(&self) -> f64 {
        median(self.durations.iter().copied())
    }

    pub fn p99(&self) -> f64 {
        percentile(self.durations.iter().copied(), 99)
    }

    /// Returns the mean CPU time of a request, in ms.
    pub fn cpu(&self) -> f64 {
        self.total_cpu / self.durations.len() as f64
    }

    /// Returns the mean CPU time that a request takes in the database, in ms.
    pub fn database_cpu(&self) -> f64 {
        self.total_database_cpu / self.durations.len() as f64
    }
}

pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    percentile(values, 50)
}

/// Returns the smallest value that `percent` % of the values do not exceed.
fn percentile(values: impl IntoIterator<Item = f64>, percent: usize) -> f64 {
    let mut sorted = Vec::from_iter(values);
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() * percent).div_ceil(100) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values() {
        assert_eq!(median([4.0, 3.0, 1.0, 2.0]), 2.0);
        assert_eq!(percentile((1..=200).map(f64::from), 99), 198.0);
        assert_eq!(percentile([7.0], 99), 7.0);
    }
}
