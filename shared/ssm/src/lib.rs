//! Parameters of SSM Parameter Store. This is apart from `shared`, because the AWS SDK is a third of a function's code and is
//! built for size.

use std::{error::Error, iter::successors, time::Duration};

use aws_config::{
    BehaviorVersion,
    environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider},
    meta::region::ProvideRegion,
    retry::RetryConfig,
    timeout::TimeoutConfig,
};
use aws_sdk_ssm::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::get_parameters::GetParametersError,
};
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};

/// The authorities of AWS's certificates. Without them the SDK reads the system's, a hundred files, at each start.
const AUTHORITIES: &[u8] = include_bytes!("amazon-root-certificates.pem");

/// The time limit for one attempt.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1500);

/// Returns the names and values of the `parameters` that exist. Credentials and region are in the environment, as Lambda and
/// `sam local` set them; the code for AWS's other sources of credentials would make each function larger by a tenth.
///
/// # Errors
/// The parameters cannot be read. The message says why, and has no value.
pub async fn get_parameters(
    parameters: &[String],
    endpoint: Option<&str>,
) -> Result<Vec<(String, String)>, String> {
    let tls = TlsContext::builder().with_trust_store(TrustStore::empty().with_pem_certificate(AUTHORITIES));
    // ring is here for the database already; the SDK's default is aws-lc-rs.
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(tls.build().map_err(|error| error.to_string())?)
        .build_https();
    let retry = RetryConfig::standard().with_max_attempts(2).with_initial_backoff(Duration::from_millis(200));
    let mut config = aws_sdk_ssm::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http)
        .credentials_provider(EnvironmentVariableCredentialsProvider::new())
        .region(EnvironmentVariableRegionProvider::new().region().await)
        .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build())
        .retry_config(retry);
    config.set_endpoint_url(endpoint.map(str::to_owned));
    let client = Client::from_conf(config.build());
    let request = client.get_parameters().set_names(Some(parameters.to_vec())).with_decryption(true);
    let found = request.send().await.map_err(|error| describe(&error))?;
    let found = found.parameters.unwrap_or_default().into_iter();
    Ok(found.filter_map(|parameter| parameter.name.zip(parameter.value)).collect())
}

/// Describes an error without quoting SSM's answer, which may hold secrets, except for its error code.
fn describe(error: &SdkError<GetParametersError>) -> String {
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    match error {
        SdkError::ServiceError(error) => match error.err().code() {
            Some("AccessDeniedException") => format!("SSM answered AccessDeniedException: {ACCESS}"),
            Some("ThrottlingException") => format!("SSM answered ThrottlingException: {THROUGHPUT}"),
            Some(code) => format!("SSM answered {code}"),
            None => format!("SSM answered HTTP {status}"),
        },
        SdkError::ResponseError(_) if status == 403 => format!("SSM answered HTTP 403: {ACCESS}"),
        SdkError::ResponseError(_) => format!("SSM answered HTTP {status} and nothing readable"),
        SdkError::TimeoutError(_) => format!("no answer from SSM within {ATTEMPT_TIMEOUT:?}, twice"),
        SdkError::DispatchFailure(failure) => {
            let cause = failure.as_connector_error().and_then(Error::source);
            match successors(cause, |&error| error.source()).last() {
                Some(cause) => format!("SSM cannot be reached: {cause}"),
                None => "SSM cannot be reached".to_owned(),
            }
        }
        _ => "the request to SSM could not be made".to_owned(),
    }
}

const ACCESS: &str = "the function's role needs ssm:GetParameters for each of them, and kms:Decrypt unless they are encrypted \
                      with the account's own key, aws/ssm";

const THROUGHPUT: &str = "too many functions start at once: turn on higher throughput in the settings of \
                          Parameter Store";

#[cfg(test)]
mod tests {
    use rustls::{
        RootCertStore,
        pki_types::{CertificateDer, pem::PemObject},
    };

    #[test]
    fn the_authorities_are_five_certificates() {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(super::AUTHORITIES) {
            roots.add(certificate.unwrap()).unwrap();
        }
        assert_eq!(roots.len(), 5);
    }
}
