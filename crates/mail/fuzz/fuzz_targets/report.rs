//! Any octets as a report: reading ends, without a panic, and says the same twice.
//!
//! Run it in `crates/mail` with `RUSTC_BOOTSTRAP=1 cargo fuzz run report fuzz/corpus/report src/report/corpus -- -timeout=10 -rss_limit_mb=1024`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use selfmx_mail::read_report;

fuzz_target!(|input: &[u8]| {
    let read = read_report(input);
    assert_eq!(read_report(input), read);
    if let Ok(report) = read {
        assert!(report.recipients.len() <= 100);
    }
});
