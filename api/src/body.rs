//! Bodies, read after it is known that the caller may send one.

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use futures_util::StreamExt;
use lastseen_shared::refusal::{Code, Refusal};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::problem::Problem;

/// Larger bodies are refused: no request of ours comes near it.
const LARGEST: usize = 64 * 1024;

/// A request's body that has not been read yet.
pub struct Body {
    request: HttpRequest,
    payload: Payload,
}

impl FromRequest for Body {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        std::future::ready(Ok(Self { request: request.clone(), payload: payload.take() }))
    }
}

impl Body {
    /// Reads a JSON object.
    ///
    /// # Errors
    /// `body_too_large`, `unsupported_media_type`, `malformed_json`, and `invalid_field` with the field's name.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, Problem> {
        let (request, bytes) = self.read().await?;
        require_json(&request)?;
        parse(&bytes)
    }

    /// Reads a JSON object that may be absent where all of its fields are.
    ///
    /// # Errors
    /// As [`Self::json`].
    pub async fn json_or_nothing<T: DeserializeOwned + Default>(self) -> Result<T, Problem> {
        let (request, bytes) = self.read().await?;
        if bytes.is_empty() {
            return Ok(T::default());
        }
        require_json(&request)?;
        parse(&bytes)
    }

    async fn read(mut self) -> Result<(HttpRequest, web::BytesMut), Problem> {
        let too_large = || Refusal::new(Code::BodyTooLarge, format!("a body may have {LARGEST} bytes at most"));
        let length = self.request.headers().get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if length.is_some_and(|length| length > LARGEST) {
            return Err(too_large().into());
        }
        let mut bytes = web::BytesMut::new();
        while let Some(part) = self.payload.next().await {
            let part =
                part.map_err(|error| Refusal::new(Code::BadRequest, format!("the body ended early: {error}")))?;
            if bytes.len() + part.len() > LARGEST {
                return Err(too_large().into());
            }
            bytes.extend_from_slice(&part);
        }
        Ok((self.request, bytes))
    }
}

fn require_json(request: &HttpRequest) -> Result<(), Refusal> {
    let kind = request.content_type();
    if kind.eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        Err(Refusal::plain(Code::UnsupportedMediaType))
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // serde takes an array for a struct, field by field.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(Refusal::new(Code::InvalidField, "the body must be a JSON object").into());
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        // serde_json calls a number where a word of a closed set should be a fault of syntax, which it is not.
        if !inner.is_data() && serde_json::from_slice::<IgnoredAny>(bytes).is_err() {
            return Refusal::new(Code::MalformedJson, inner.to_string());
        }
        let text = inner.to_string();
        // serde quotes the name of a field that is missing or unknown.
        let quoted = text.split('`').nth(1).filter(|_| text.contains("field `")).map(str::to_owned);
        let field = quoted.or_else(|| (path != ".").then_some(path));
        let refusal = Refusal::new(Code::InvalidField, text);
        match field {
            Some(field) => refusal.about(&field),
            None => refusal,
        }
    });
    let parsed = parsed?;
    deserializer.end().map_err(|error| Refusal::new(Code::MalformedJson, error.to_string()))?;
    Ok(parsed)
}

/// Tells a field that is null from one that is not there: `Some(None)` and `None`.
///
/// # Errors
/// The value's own.
pub fn nullable<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

/// A whole number. As JSON Schema has it, `587.0` is one (draft 2020-12, §4.2.3).
#[derive(Clone, Copy, Debug)]
pub struct Whole(pub i64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(deserializer)?;
        // A fraction is exact up to here; no id is beyond.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        let of_fraction = |number: f64| (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64);
        let whole = number.as_i64().or_else(|| number.as_f64().and_then(of_fraction));
        whole.map(Self).ok_or_else(|| serde::de::Error::custom("must be a whole number of 64 bits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_is_one_however_it_is_written() {
        let read = |text: &str| serde_json::from_str::<Whole>(text).map(|Whole(number)| number);
        for (text, number) in
            [("587", 587), ("587.0", 587), ("5.87e2", 587), ("-1.0", -1), ("9223372036854775807", i64::MAX)]
        {
            assert_eq!(read(text).unwrap(), number, "{text}");
        }
        for text in ["587.5", "1e300", "9223372036854775808", "9007199254740994.0", "\"587\"", "null", "true"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
