//! What AWS would bill. Prices are as known to the authors, and not looked up again: compare
//! <https://aws.amazon.com/lambda/pricing/> and <https://aws.amazon.com/api-gateway/pricing/>.

/// Lambda, arm64, us-east-1, USD a GB-second.
const USD_PER_GB_SECOND: f64 = 0.000_013_333_4;
/// Lambda, USD a million requests.
const USD_PER_MILLION_REQUESTS: f64 = 0.20;
/// API Gateway's HTTP API, USD a million requests.
pub const USD_PER_MILLION_API_CALLS: f64 = 1.00;
/// The same, of those of a month beyond the first 300 million.
const USD_PER_MILLION_MORE_API_CALLS: f64 = 0.90;
/// CloudWatch Logs, USD a GB; beyond 10 TB a month it is less (<https://aws.amazon.com/cloudwatch/pricing/>).
pub const USD_PER_GB_LOGGED: f64 = 0.50;
/// X-Ray, USD a million traces (<https://aws.amazon.com/xray/pricing/>).
pub const USD_PER_MILLION_TRACES: f64 = 5.00;
/// Neon, plan Launch, USD an hour of a compute unit, which is about one vCPU and 4 GB (<https://neon.com/pricing>).
pub const USD_PER_CU_HOUR: f64 = 0.106;
pub const HOURS_A_MONTH: f64 = 730.0;
pub const SECONDS_A_MONTH: f64 = HOURS_A_MONTH * 3600.0;
/// The memory that comes with one whole vCPU; with less there is proportionally less of it.
pub const MB_PER_VCPU: f64 = 1769.0;

/// A warm request as it was measured on a whole core beside its database, in ms, and where it is to run.
#[derive(Clone, Copy)]
pub struct Request {
    pub p50: f64,
    pub cpu: f64,
    /// To the database, each of which takes as long as `round_trip`.
    pub round_trips: f64,
    pub round_trip: f64,
    pub memory_mb: f64,
}

impl Request {
    /// In whole ms, as Lambda counts them.
    pub fn billed_ms(self) -> f64 {
        let waiting = (self.p50 - self.cpu).max(0.0) + self.round_trips * self.round_trip;
        (self.cpu * (MB_PER_VCPU / self.memory_mb).max(1.0) + waiting).ceil().max(1.0)
    }

    /// Lambda's share of a million of them, in USD.
    pub fn usd_per_million(self) -> f64 {
        usd_per_million(self.billed_ms(), self.memory_mb)
    }
}

/// A million requests, each billed for so many ms, in USD.
pub fn usd_per_million(billed_ms: f64, memory_mb: f64) -> f64 {
    billed_ms * 1000.0 * memory_mb / 1024.0 * USD_PER_GB_SECOND + USD_PER_MILLION_REQUESTS
}

/// So many million calls of an HTTP API in a month, in USD.
pub fn api_calls_usd(millions: f64) -> f64 {
    let first = millions.min(300.0);
    first * USD_PER_MILLION_API_CALLS + (millions - first) * USD_PER_MILLION_MORE_API_CALLS
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: Request =
        Request { p50: 0.5, cpu: 0.2, round_trips: 1.0, round_trip: 2.0, memory_mb: MB_PER_VCPU };

    #[test]
    fn a_started_millisecond_is_billed_whole() {
        assert_eq!(LIST.billed_ms(), 3.0);
        assert_eq!(Request { p50: 0.1, cpu: 0.1, round_trips: 0.0, ..LIST }.billed_ms(), 1.0);
    }

    #[test]
    fn less_memory_stretches_the_cpu_time_and_not_the_waiting() {
        assert_eq!(Request { cpu: 0.5, memory_mb: MB_PER_VCPU / 4.0, ..LIST }.billed_ms(), 4.0);
        assert_eq!(Request { memory_mb: 2.0 * MB_PER_VCPU, ..LIST }.billed_ms(), 3.0);
    }

    #[test]
    fn api_calls_are_cheaper_beyond_the_first_300_million() {
        assert_eq!(api_calls_usd(10.0), 10.0);
        assert!((api_calls_usd(400.0) - 390.0).abs() < 1e-9);
    }

    #[test]
    fn a_million_requests_of_a_second_with_a_gb_cost_their_gb_seconds_and_their_number() {
        assert!((usd_per_million(1000.0, 1024.0) - 13.5334).abs() < 1e-9);
    }
}
