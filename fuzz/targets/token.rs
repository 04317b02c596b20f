//! Fuzzes the verification of tokens: any text, and any header and claims with a valid signature.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    kit::fuzz::token(input);
});
