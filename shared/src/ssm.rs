//! Secrets from SSM Parameter Store, for functions whose environment does not hold them.
//!
//! With `SSM_PARAMETER_PATH=/todo/prod`, `JWT_SECRET` is the value of the parameter `/todo/prod/JWT_SECRET`. One
//! [GetParameters][api] call reads all missing variables when the function starts; a running copy does not see a later
//! change. Without the path nothing of the AWS SDK runs.
//!
//! [api]: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html

use std::time::Duration;

use tokio::time::timeout;

use crate::config::{self, Config};

/// The time limit for reading all parameters, credentials included. Lambda allows 10 s for the whole init.
const DEADLINE: Duration = Duration::from_secs(4);

/// Sets the unset variables among `names` from the parameters below `SSM_PARAMETER_PATH`. A variable whose parameter does not
/// exist stays unset.
///
/// # Errors
/// The path is malformed, or the parameters cannot be read within 4 s, a retry included. The message names the parameters,
/// never a value.
pub(crate) async fn complete(config: &mut Config, names: &[&str]) -> Result<(), config::Error> {
    let Some(path) = config.get("SSM_PARAMETER_PATH").map(str::to_owned) else { return Ok(()) };
    if !path.starts_with('/') || path.ends_with('/') {
        return Err(config::Error::new(format!(
            "SSM_PARAMETER_PATH is `{path}`: it should be a path such as /todo/prod, without a slash at its end"
        )));
    }
    let missing = names.iter().filter(|name| config.get(name).is_none());
    let parameters: Vec<_> = missing.map(|name| format!("{path}/{name}")).collect();
    if parameters.is_empty() {
        return Ok(());
    }
    let read = timeout(DEADLINE, sdk::get(&parameters)).await;
    let found = read.unwrap_or_else(|_| Err(format!("no answer within {DEADLINE:?}"))).map_err(|reason| {
        config::Error::new(format!("the parameters {} cannot be read: {reason}", parameters.join(", ")))
    })?;
    for (parameter, value) in found {
        if let Some(name) = parameter.strip_prefix(&path).and_then(|name| name.strip_prefix('/')) {
            config.set_default(name, &value);
        }
    }
    Ok(())
}

#[cfg(not(feature = "ssm"))]
mod sdk {
    pub(super) async fn get(_: &[String]) -> Result<Vec<(String, String)>, String> {
        Err("this program was built without the feature `ssm`".to_owned())
    }
}

#[cfg(feature = "ssm")]
mod sdk {
    use std::{error::Error, iter::successors, time::Duration};

    use aws_config::{BehaviorVersion, retry::RetryConfig, timeout::TimeoutConfig};
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

    /// Returns the names and values of the `parameters` that exist.
    pub(super) async fn get(parameters: &[String]) -> Result<Vec<(String, String)>, String> {
        let tls =
            TlsContext::builder().with_trust_store(TrustStore::empty().with_pem_certificate(AUTHORITIES));
        // ring is here for the database already; the SDK's default is aws-lc-rs.
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(tls.build().map_err(|error| error.to_string())?)
            .build_https();
        let sdk = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http)
            .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build())
            .retry_config(
                RetryConfig::standard().with_max_attempts(2).with_initial_backoff(Duration::from_millis(200)),
            )
            .load()
            .await;
        let request =
            Client::new(&sdk).get_parameters().set_names(Some(parameters.to_vec())).with_decryption(true);
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
}
