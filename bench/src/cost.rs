//! The costs that AWS and Neon would bill. These are the prices of all pages: us-east-1, arm64, without free tiers, looked up in
//! November 2026.

use crate::samples::Samples;

/// Lambda, USD per GB-second (<https://aws.amazon.com/lambda/pricing/>).
const USD_PER_GB_SECOND: f64 = 0.000_013_333_4;
/// Lambda, USD per million requests.
const USD_PER_MILLION_REQUESTS: f64 = 0.20;
/// API Gateway, USD per million requests of an HTTP API (<https://aws.amazon.com/api-gateway/pricing/>).
pub const USD_PER_MILLION_API_CALLS: f64 = 1.00;
/// The same beyond the first 300 million of a month.
const USD_PER_MILLION_MORE_API_CALLS: f64 = 0.90;
/// CloudWatch Logs, USD per GB, less beyond 10 TB a month (<https://aws.amazon.com/cloudwatch/pricing/>).
pub const USD_PER_GB_LOGGED: f64 = 0.50;
/// X-Ray, USD per million traces (<https://aws.amazon.com/xray/pricing/>).
pub const USD_PER_MILLION_TRACES: f64 = 5.00;
/// Neon, plan Launch, USD per hour of a compute unit, about one vCPU and 4 GB (<https://neon.com/pricing>).
pub const USD_PER_CU_HOUR: f64 = 0.106;

pub const HOURS_PER_MONTH: f64 = 730.0;
pub const SECONDS_PER_MONTH: f64 = HOURS_PER_MONTH * 3600.0;
/// The memory that comes with one whole vCPU; less memory has proportionally less CPU.
pub const MB_PER_VCPU: f64 = 1769.0;
/// A round trip to a database in the same region.
pub const ROUND_TRIP_MS: f64 = 2.0;

/// A warm request, measured on a whole core beside its database (in ms), and the function's memory.
#[derive(Clone, Copy)]
pub struct WarmRequest {
    p50: f64,
    cpu: f64,
    /// Round trips to the database, each of which takes [`ROUND_TRIP_MS`].
    round_trips: f64,
    memory_mb: f64,
}

impl WarmRequest {
    pub fn new(samples: &Samples, round_trips: f64, memory_mb: f64) -> Self {
        Self { p50: samples.p50(), cpu: samples.cpu(), round_trips, memory_mb }
    }

    /// Returns the duration that Lambda bills, in whole ms.
    pub fn billed_ms(self) -> f64 {
        let waiting = (self.p50 - self.cpu).max(0.0) + self.round_trips * ROUND_TRIP_MS;
        (self.cpu * (MB_PER_VCPU / self.memory_mb).max(1.0) + waiting).ceil().max(1.0)
    }

    /// Returns Lambda's price of a million such requests, in USD.
    pub fn usd_per_million(self) -> f64 {
        usd_per_million(self.billed_ms(), self.memory_mb)
    }
}

/// Returns Lambda's price of a million requests, in USD.
pub fn usd_per_million(billed_ms: f64, memory_mb: f64) -> f64 {
    billed_ms * 1000.0 * memory_mb / 1024.0 * USD_PER_GB_SECOND + USD_PER_MILLION_REQUESTS
}

/// Returns API Gateway's price of a month's requests, in USD.
pub fn api_calls_usd(millions: f64) -> f64 {
    let first = millions.min(300.0);
    first * USD_PER_MILLION_API_CALLS + (millions - first) * USD_PER_MILLION_MORE_API_CALLS
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: WarmRequest = WarmRequest { p50: 0.5, cpu: 0.2, round_trips: 1.0, memory_mb: MB_PER_VCPU };

    #[test]
    fn a_started_millisecond_is_billed_whole() {
        assert_eq!(LIST.billed_ms(), 3.0);
        assert_eq!(WarmRequest { p50: 0.1, cpu: 0.1, round_trips: 0.0, ..LIST }.billed_ms(), 1.0);
    }

    #[test]
    fn less_memory_stretches_the_cpu_time_and_not_the_waiting() {
        assert_eq!(WarmRequest { cpu: 0.5, memory_mb: MB_PER_VCPU / 4.0, ..LIST }.billed_ms(), 4.0);
        assert_eq!(WarmRequest { memory_mb: 2.0 * MB_PER_VCPU, ..LIST }.billed_ms(), 3.0);
    }

    #[test]
    fn prices_are_of_gb_seconds_and_of_numbers_of_requests() {
        assert!((usd_per_million(1000.0, 1024.0) - 13.5334).abs() < 1e-9);
        assert!((api_calls_usd(400.0) - 390.0).abs() < 1e-9);
    }
}
