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
    let endpoint = config.get("AWS_ENDPOINT_URL_SSM").or_else(|| config.get("AWS_ENDPOINT_URL"));
    let answer = timeout(DEADLINE, get_parameters(&parameters, endpoint)).await;
    let found =
        answer.unwrap_or_else(|_| Err(format!("no answer within {DEADLINE:?}"))).map_err(|reason| {
            config::Error::new(format!("the parameters {} cannot be read: {reason}", parameters.join(", ")))
        })?;
    for (parameter, value) in found {
        if let Some(name) = parameter.strip_prefix(&path).and_then(|name| name.strip_prefix('/')) {
            config.set_default(name, &value);
        }
    }
    Ok(())
}

#[cfg(feature = "ssm")]
use ssm::get_parameters;

#[cfg(not(feature = "ssm"))]
async fn get_parameters(_: &[String], _: Option<&str>) -> Result<Vec<(String, String)>, String> {
    Err("this program was built without the feature `ssm`".to_owned())
}
