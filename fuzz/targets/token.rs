//! Tokens: any text, and any header and claims well signed.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    kit::fuzz::token(input);
});
