//! The content coding of an answer ([RFC 9110 §12.5.3]): the one that the client prefers, and the text in it.
//!
//! The binary holds each text in brotli and in gzip, as the build script wrote them. Nothing is compressed at run time. It
//! does not hold the plain text, which is twice as large as both together: hardly any client reads neither coding. For
//! one that does, the gzip is decompressed.
//!
//! Crates that choose a coding were looked at. fly-accept-encoding does not read the space in `gzip; q=0`, static-serve
//! looks for the word `gzip` alone and so sends it to a client that refuses it, and memory-serve has a compressor in the
//! binary.
//!
//! [RFC 9110 §12.5.3]: https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3

use std::{convert::Infallible, io::Read};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
};
use flate2::read::GzDecoder;
use shared::Error;

/// The coding that the client prefers. Every client is taken to read the identity, even if it says otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Coding {
    Identity,
    Gzip,
    Brotli,
}

/// A text in the codings that the build script wrote.
pub(crate) struct Compressed {
    pub(crate) gzip: &'static [u8],
    pub(crate) brotli: &'static [u8],
}

impl Coding {
    /// Chooses the coding of the largest weight. Of equal ones it takes the smaller text.
    fn preferred(request: &HeaderMap) -> Self {
        let values = request.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        let accepted: Vec<_> = values.flat_map(|value| value.split(',')).filter_map(weighted).collect();
        let named = |name: &str| accepted.iter().find(|(coding, _)| coding.eq_ignore_ascii_case(name));
        let weight =
            |coding: &Self| named(coding.name()).or_else(|| named("*")).map_or(0.0, |(_, weight)| *weight);
        let codings =
            [Self::Identity, Self::Gzip, Self::Brotli].into_iter().filter(|coding| weight(coding) > 0.0);
        // The last of equal ones.
        codings.max_by(|one, other| weight(one).total_cmp(&weight(other))).unwrap_or(Self::Identity)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Brotli => "br",
        }
    }
}

/// Reads `gzip` or `gzip; q=0.5`. A weight that is no number from 0 to 1 makes the whole unreadable.
fn weighted(text: &str) -> Option<(&str, f32)> {
    let (coding, weight) = text.split_once(';').unwrap_or((text, "q=1"));
    let weight = weight.trim().strip_prefix(['q', 'Q'])?.strip_prefix('=')?.parse().ok()?;
    (0.0..=1.0).contains(&weight).then_some((coding.trim(), weight))
}

impl<S: Sync> FromRequestParts<S> for Coding {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::preferred(&parts.headers))
    }
}

impl Compressed {
    /// Makes an answer of the text in this coding, without its type.
    pub(crate) fn answer(&self, coding: Coding) -> Result<Response, Error> {
        let mut response = match coding {
            Coding::Identity => {
                let mut text = Vec::new();
                GzDecoder::new(self.gzip).read_to_end(&mut text).map_err(|_| Error::Internal)?;
                text.into_response()
            }
            Coding::Gzip => self.gzip.into_response(),
            Coding::Brotli => self.brotli.into_response(),
        };
        let headers = response.headers_mut();
        if coding != Coding::Identity {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
        }
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heaviest_coding_is_chosen_and_a_refused_one_never() {
        for (accepted, coding) in [
            (&[][..], Coding::Identity),
            (&[""], Coding::Identity),
            (&["identity"], Coding::Identity),
            (&["deflate, zstd"], Coding::Identity),
            (&["gzip"], Coding::Gzip),
            (&["GZIP"], Coding::Gzip),
            (&["br"], Coding::Brotli),
            (&["gzip, deflate, br, zstd"], Coding::Brotli),
            (&["gzip", "br"], Coding::Brotli),
            (&["br;q=0.5, gzip"], Coding::Gzip),
            (&["br ; Q=0.5 ,gzip; q=0.49"], Coding::Brotli),
            (&["gzip;q=0"], Coding::Identity),
            (&["gzip; q=0.000, br; q=0"], Coding::Identity),
            (&["br;q=0, *"], Coding::Gzip),
            (&["*"], Coding::Brotli),
            (&["*;q=0"], Coding::Identity),
            (&["gzip, *;q=0"], Coding::Gzip),
            (&["identity, gzip;q=0.5"], Coding::Identity),
            (&["identity;q=0.5, gzip"], Coding::Gzip),
            (&["identity;q=0.5, *;q=0"], Coding::Identity),
            (&["identity;q=0"], Coding::Identity),
            // Neither names nor weights.
            (&["xgzip, gzipped, br-x"], Coding::Identity),
            (&["gzip;q=2, br;q=-1"], Coding::Identity),
            (&["gzip;q=NaN, br;q="], Coding::Identity),
            (&["gzip;level=9"], Coding::Identity),
            (&[",;,gzip,"], Coding::Gzip),
        ] {
            let mut request = HeaderMap::new();
            for value in accepted {
                request.append(header::ACCEPT_ENCODING, HeaderValue::from_str(value).unwrap());
            }
            assert_eq!(Coding::preferred(&request), coding, "{accepted:?}");
        }
    }
}
