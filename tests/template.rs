//! What stands in several places, each of which a tool reads: a route in the function's router, in template.yaml, in the
//! router of `cargo lambda watch` and in openapi.yaml; a function in its folder, its manifest and template.yaml's lists.

#![cfg(test)]

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use axum::{Router, body::Body, http::Request};
use shared::{Config, Cors, Db, db, middleware, telemetry, with_middleware};
use tower::ServiceExt;
use yaml_serde::Value as Yaml;

const FUNCTIONS: [&str; 7] = ["account", "docs", "health", "login", "password", "signup", "tasks"];

/// What each may read in SSM Parameter Store.
const SECRETS: [&[&str]; 7] = [
    account::SECRETS,
    &[],
    health::SECRETS,
    login::SECRETS,
    password::SECRETS,
    signup::SECRETS,
    tasks::SECRETS,
];

/// Function and path.
type Routes = BTreeSet<(String, String)>;

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)).unwrap()
}

fn toml(file: &str) -> toml::Table {
    read(file).parse().unwrap()
}

fn template() -> Yaml {
    yaml_serde::from_str(&read("template.yaml")).unwrap()
}

/// Each function's, made from its own secrets alone.
fn routers() -> [(&'static str, Router); 7] {
    let [account, _, health, login, password, signup, tasks] = SECRETS.map(|secrets| {
        let values = [
            ("DATABASE_URL", "postgresql://todo@127.0.0.1/todo"),
            ("JWT_SECRET", shared::jwt::DEMO_SECRET),
            ("JWT_SECRET_PREVIOUS", shared::jwt::DEMO_SECRET),
        ];
        values.into_iter().filter(|(name, _)| secrets.contains(name)).collect::<Config>()
    });
    let db = |config| Db::new(config).unwrap();
    [
        ("account", account::router(&account, db(&account)).unwrap()),
        ("docs", docs::router()),
        ("health", health::router(&health, db(&health)).unwrap()),
        ("login", login::router(&login, db(&login)).unwrap()),
        ("password", password::router(&password, db(&password)).unwrap()),
        ("signup", signup::router(&signup, db(&signup)).unwrap()),
        ("tasks", tasks::router(&tasks, db(&tasks)).unwrap()),
    ]
}

/// Those of the routers, under both prefixes.
fn routes() -> Routes {
    let with_prefixes = |(function, router): (&str, Router)| {
        let paths = paths(&router).into_iter().flat_map(|path| [format!("/api{path}"), path]);
        paths.map(|path| (function.to_owned(), path)).collect::<Vec<_>>()
    };
    routers().into_iter().flat_map(with_prefixes).collect()
}

/// axum has no list of a router's paths but the one it shows for debugging.
fn paths(router: &Router) -> Vec<String> {
    let debug = format!("{router:?}");
    let (routes, _fallback) = debug.split_once("fallback_router").unwrap();
    let paths: Vec<_> = routes.split('"').filter(|part| part.starts_with('/')).map(str::to_owned).collect();
    assert!(!paths.is_empty(), "{debug}");
    paths
}

fn resources() -> Vec<(String, Yaml)> {
    let template = template();
    let resources = template["Resources"].as_mapping().unwrap().iter();
    let functions =
        resources.filter(|(_, resource)| resource["Type"].as_str() == Some("AWS::Serverless::Function"));
    functions.map(|(name, resource)| (name.as_str().unwrap().to_owned(), resource.clone())).collect()
}

fn strings(list: &Yaml) -> BTreeSet<String> {
    list.as_sequence().unwrap().iter().map(|string| string.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_routers_template_yaml_cargo_lambdas_router_and_openapi_yaml_have_the_same_routes() {
    let mut in_template = Routes::new();
    for (name, function) in resources() {
        for event in function["Properties"]["Events"].as_mapping().unwrap().values() {
            let properties = &event["Properties"];
            // Any method, so that 405 and HEAD come from the function.
            assert_eq!(properties["Method"].as_str(), Some("ANY"), "{event:?}");
            let path = properties["Path"].as_str().unwrap().to_owned();
            assert!(in_template.insert((name.clone(), path)), "twice: {event:?}");
        }
    }
    assert_eq!(in_template, routes(), "template.yaml");

    let manifest = toml("Cargo.toml");
    let router = manifest["workspace"]["metadata"]["lambda"]["watch"]["router"].as_table().unwrap();
    let in_manifest: Routes =
        router.iter().map(|(path, function)| (function.as_str().unwrap().to_owned(), path.clone())).collect();
    assert_eq!(in_manifest, routes(), "Cargo.toml");

    let openapi: serde_json::Value = serde_json::from_str(docs::OPENAPI).unwrap();
    let mut in_openapi = BTreeSet::new();
    for (path, item) in openapi["paths"].as_object().unwrap() {
        let methods = item.as_object().unwrap().keys().filter(|key| *key != "parameters");
        in_openapi.extend(methods.map(|method| (path.clone(), method.to_uppercase())));
    }
    let mut in_routers = BTreeSet::new();
    for (_, router) in routers() {
        for path in paths(&router) {
            let methods = methods(&router, &path).await;
            in_routers.extend(methods.into_iter().map(|method| (path.clone(), method)));
        }
    }
    assert_eq!(in_openapi, in_routers, "openapi.yaml");
    let servers = openapi["servers"].as_array().unwrap().iter().map(|server| server["url"].as_str().unwrap());
    assert_eq!(servers.collect::<Vec<_>>(), ["/", "/api"]);
}

/// As `Allow` names them, but for HEAD, which is there wherever GET is.
async fn methods(router: &Router, path: &str) -> Vec<String> {
    let request = Request::builder().method("NONE").uri(path).body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 405, "{path}");
    let allow = response.headers()["allow"].to_str().unwrap();
    allow.split(',').filter(|method| *method != "HEAD").map(str::to_owned).collect()
}

#[test]
fn openapi_yaml_is_of_the_packages_version() {
    let openapi: serde_json::Value = serde_json::from_str(docs::OPENAPI).unwrap();
    assert_eq!(
        openapi["info"]["version"].as_str(),
        toml("Cargo.toml")["workspace"]["package"]["version"].as_str()
    );
}

#[test]
fn each_function_is_a_folder_a_package_and_a_resource_of_one_name_and_size() {
    let template = template();
    let default = |name: &str| template["Globals"]["Function"][name].as_i64();
    let names: Vec<_> = resources().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.iter().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(FUNCTIONS));
    for (name, function) in resources() {
        assert_eq!(function["Metadata"]["BuildProperties"]["Binary"].as_str(), Some(name.as_str()));
        let deployed_as = format!("${{AWS::StackName}}-{name}");
        assert_eq!(function["Properties"]["FunctionName"].as_str(), Some(deployed_as.as_str()));
        assert_eq!(function["Properties"]["CodeUri"].as_str(), Some(format!("functions/{name}").as_str()));
        let manifest = toml(&format!("functions/{name}/Cargo.toml"));
        assert_eq!(manifest["package"]["name"].as_str(), Some(name.as_str()));
        let deploy = &manifest["package"]["metadata"]["lambda"]["deploy"];
        let of_function =
            |property: &str| function["Properties"][property].as_i64().or_else(|| default(property));
        assert_eq!(deploy["memory"].as_integer(), of_function("MemorySize"), "{name}");
        assert_eq!(deploy["timeout"].as_integer(), of_function("Timeout"), "{name}");
    }
}

#[test]
fn each_function_may_read_its_secrets_and_nothing_else() {
    let template = template();
    let parameters =
        "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter${SsmParameterPath}";
    let secrets_of = |name: &str| SECRETS[FUNCTIONS.iter().position(|function| *function == name).unwrap()];
    for (name, function) in resources() {
        let policy = &function["Properties"]["Policies"];
        let secrets = secrets_of(&name);
        if secrets.is_empty() {
            assert_eq!(*policy, Yaml::Null, "{name}");
        } else {
            let readable = secrets.iter().map(|secret| format!("{parameters}/{secret}"));
            assert_eq!(strings(&policy["Statement"]["Resource"]), readable.collect(), "{name}");
            assert_eq!(policy["Statement"]["Action"].as_str(), Some("ssm:GetParameters"), "{name}");
        }
        assert_eq!(function["Properties"]["Role"], Yaml::Null, "{name}");

        // Declared too, for `sam local`, and empty: the value comes from SSM.
        let declared = [&template["Globals"]["Function"], &function["Properties"]]
            .into_iter()
            .filter_map(|properties| properties["Environment"]["Variables"].as_mapping())
            .flat_map(|variables| variables.iter().filter(|(_, value)| value.as_str() == Some("")))
            .map(|(variable, _)| variable.as_str().unwrap());
        assert_eq!(declared.collect::<BTreeSet<_>>(), secrets.iter().copied().collect(), "{name}");
    }
    let may_decrypt = strings(&template["Resources"]["decryption"]["Properties"]["Roles"]);
    let with_secrets = FUNCTIONS.iter().filter(|name| !secrets_of(name).is_empty());
    assert_eq!(may_decrypt, with_secrets.map(|name| format!("{name}Role")).collect());
}

#[test]
fn who_waits_for_another_gives_up_later_a_statement_first_and_api_gateway_after_30_seconds_last() {
    let template = template();
    assert!(db::STATEMENT_TIMEOUT + 2 * db::CONNECT_TIMEOUT < middleware::REQUEST_DEADLINE);
    for (name, function) in resources() {
        let own = function["Properties"]["Timeout"].as_i64();
        let timeout = own.or_else(|| template["Globals"]["Function"]["Timeout"].as_i64()).unwrap();
        let timeout = Duration::from_secs(timeout.try_into().unwrap());
        assert!(
            middleware::REQUEST_DEADLINE < timeout && timeout < Duration::from_secs(30),
            "{name}: {timeout:?}"
        );
    }
}

#[test]
fn every_route_that_checks_or_sets_a_password_takes_fewer_requests_and_no_other_route_has_settings() {
    let template = template();
    let api = &template["Resources"]["api"]["Properties"];
    let settings = api["RouteSettings"].as_mapping().unwrap();
    let keys: BTreeSet<_> = settings.keys().map(|key| key.as_str().unwrap().to_owned()).collect();
    let of_passwords =
        routes().into_iter().filter(|(name, _)| ["login", "password", "signup"].contains(&name.as_str()));
    assert_eq!(keys, of_passwords.map(|(_, path)| format!("ANY {path}")).collect());

    let default = |limit: &Yaml| template["Parameters"][limit.as_str().unwrap()]["Default"].as_i64();
    for (key, of_route) in settings {
        for limit in ["ThrottlingRateLimit", "ThrottlingBurstLimit"] {
            assert!(of_route[limit].as_i64().is_some());
            assert!(of_route[limit].as_i64() < default(&api["DefaultRouteSettings"][limit]), "{key:?}");
        }
    }
}

/// Its headers stand in the place of the functions' in a deployment.
#[tokio::test]
async fn api_gateway_tells_browsers_what_the_functions_tell_them() {
    let template = template();
    let of_gateway =
        &template["Resources"]["api"]["Properties"]["CorsConfiguration"].as_sequence().unwrap()[1];
    let origin = "https://todo.example.com";
    let cors = Cors::new(&Config::from_iter([("CORS_ALLOW_ORIGINS", origin)])).unwrap();
    let function = with_middleware(docs::router(), cors, telemetry::to_terminal);
    let ask = async |method: &str| {
        let request = Request::builder().method(method).uri("/docs").header("origin", origin);
        let request = request.header("access-control-request-method", "GET").body(Body::empty()).unwrap();
        function.clone().oneshot(request).await.unwrap().headers().clone()
    };
    let (preflight, answer) = (ask("OPTIONS").await, ask("GET").await);
    for (key, headers, name) in [
        ("AllowMethods", &preflight, "access-control-allow-methods"),
        ("AllowHeaders", &preflight, "access-control-allow-headers"),
        ("ExposeHeaders", &answer, "access-control-expose-headers"),
    ] {
        let listed = headers[name].to_str().unwrap().split(", ").map(str::to_owned);
        assert_eq!(listed.collect::<BTreeSet<_>>(), strings(&of_gateway[key]), "{key}");
    }
    let max_age = of_gateway["MaxAge"].as_i64().unwrap().to_string();
    assert_eq!(preflight["access-control-max-age"], max_age.as_str());
    let keys = ["AllowOrigins", "AllowMethods", "AllowHeaders", "ExposeHeaders", "MaxAge"];
    assert!(
        of_gateway.as_mapping().unwrap().keys().map(|key| key.as_str().unwrap()).eq(keys),
        "{of_gateway:?}"
    );
    let variable = &template["Globals"]["Function"]["Environment"]["Variables"]["CORS_ALLOW_ORIGINS"];
    assert_eq!(variable.as_str(), of_gateway["AllowOrigins"][1].as_str(), "one parameter for both");
}

#[test]
fn the_template_takes_the_origins_that_the_functions_take() {
    let template = template();
    let pattern = template["Parameters"]["AllowedOrigins"]["AllowedPattern"].as_str().unwrap();
    // CloudFormation matches the whole.
    let pattern = fancy_regex::Regex::new(&format!("^(?:{pattern})$")).unwrap();
    for (origins, is_taken) in [
        ("", true),
        ("*", true),
        ("http://localhost:3000", true),
        ("https://a.com", true),
        ("https://a.com,http://localhost:3000", true),
        ("https://xn--fiqs8s.example,https://a-b.c_d.com:8443", true),
        ("http://127.0.0.1:8080", true),
        ("http://[::1]:3000", true),
        ("http://a.com:443", true),
        ("https://a.com:80", true),
        ("https://a.com/", false),
        ("https://a.com/,https://b.com", false),
        ("a.com", false),
        ("localhost:3000", false),
        ("https://a.com/app", false),
        ("https://a.com?x", false),
        ("https://a.com#x", false),
        ("https://A.com", false),
        ("HTTPS://a.com", false),
        ("https://a.com:443", false),
        ("http://a.com:80", false),
        ("http://b.com,http://a.com:80,https://c.com", false),
        ("https://a.com:", false),
        ("https://a.com:0443", false),
        ("https://user@a.com", false),
        ("https://*.a.com", false),
        ("https://", false),
        ("https://ä.com", false),
        ("ftp://a.com", false),
        ("capacitor://localhost", false),
        ("null", false),
        ("https://a.com https://b.com", false),
        ("https://a.com;https://b.com", false),
        ("'https://a.com'", false),
        ("https://a.com,", false),
        (",https://a.com", false),
        ("https://a.com,,https://b.com", false),
    ] {
        assert_eq!(pattern.is_match(origins).unwrap(), is_taken, "template.yaml: {origins}");
        let by_functions = Cors::new(&Config::from_iter([("CORS_ALLOW_ORIGINS", origins)]));
        assert_eq!(by_functions.is_ok(), is_taken, "the functions: {origins}");
    }
}

#[test]
fn pages_of_the_listed_origins_may_call_the_api_and_send_no_credentials() {
    let template = template();
    // `!If`, which is read without its name: the condition, what holds then, and what else.
    let cors = template["Resources"]["api"]["Properties"]["CorsConfiguration"].as_sequence().unwrap();
    assert_eq!(cors[1]["AllowOrigins"][1].as_str(), Some("AllowedOrigins"), "split, and no `*`");
    assert_eq!(cors[1]["AllowCredentials"], Yaml::Null);
    assert_eq!(
        strings(&cors[2]["AllowOrigins"]),
        ["https://none.invalid".to_owned()].into(),
        "without origins, no page"
    );
}

#[test]
fn the_alarms_of_errors_and_throttles_count_every_function() {
    let template = template();
    for (alarm, metric_name) in [("functionErrors", "Errors"), ("throttles", "Throttles")] {
        let metrics = template["Resources"][alarm]["Properties"]["Metrics"].as_sequence().unwrap();
        let metrics: Vec<_> = metrics.iter().map(|metric| &metric["MetricStat"]["Metric"]).collect();
        let of_functions = metrics.iter().filter(|metric| metric["MetricName"].as_str() == Some(metric_name));
        let counted: BTreeSet<_> =
            of_functions.filter_map(|metric| metric["Dimensions"][0]["Value"].as_str()).collect();
        assert_eq!(counted, BTreeSet::from(FUNCTIONS), "{alarm}");
    }
}

#[test]
fn an_operators_loops_are_over_every_function_with_a_database() {
    let operations = read("docs/operations.md");
    let loops =
        operations.lines().filter_map(|line| line.strip_prefix("for function in ")?.strip_suffix("; do"));
    let loops: Vec<BTreeSet<_>> = loops.map(|names| names.split(' ').collect()).collect();
    let with_database: BTreeSet<_> = FUNCTIONS.into_iter().filter(|name| *name != "docs").collect();
    assert_eq!(loops, [with_database.clone(), with_database]);
}

#[test]
fn the_alarm_of_failed_logins_watches_the_metric_that_login_writes() {
    let alarm = &template()["Resources"]["loginFailures"]["Properties"];
    assert_eq!(alarm["Namespace"].as_str(), Some(telemetry::NAMESPACE));
    assert_eq!(alarm["MetricName"].as_str(), Some("LoginFailures"));
    assert_eq!(alarm["Dimensions"][0]["Name"].as_str(), Some("FunctionName"));
    assert_eq!(alarm["Dimensions"][0]["Value"].as_str(), Some("login"));
}

/// Lambda's lines of a crash or a time-out have its own id of the request alone.
#[test]
fn the_access_log_joins_api_gateways_id_of_a_request_with_lambdas() {
    let format = &template()["Resources"]["api"]["Properties"]["AccessLogSettings"]["Format"];
    let format: serde_json::Value = serde_json::from_str(format.as_str().unwrap()).unwrap();
    assert_eq!(format["requestId"], "$context.requestId");
    assert_eq!(format["integrationRequestId"], "$context.integration.requestId");
}

#[test]
fn samconfig_toml_sets_parameters_that_the_template_has() {
    let template = template();
    for environment in ["default", "prod"] {
        let parameters = &toml("samconfig.toml")[environment]["global"]["parameters"]["parameter_overrides"];
        for parameter in parameters.as_str().unwrap().split_whitespace() {
            let (name, _) = parameter.split_once('=').unwrap();
            assert_ne!(template["Parameters"][name], Yaml::Null, "{environment}: {name}");
        }
    }
}

#[test]
fn a_functions_name_fits_with_any_name_of_a_stack_that_the_documents_allow() {
    // Lambda allows 64 (API_CreateFunction, "FunctionName").
    let longest = FUNCTIONS.iter().map(|name| name.len() + 1).max().unwrap();
    let allowed = 64 - longest;
    for file in ["template.yaml", "samconfig.toml", "docs/operations.md"] {
        assert!(read(file).contains(&format!("at most {allowed} characters")), "{file}");
    }
    for environment in ["default", "prod"] {
        let name = &toml("samconfig.toml")[environment]["global"]["parameters"]["stack_name"];
        assert!(name.as_str().unwrap().len() <= allowed, "{name:?}");
    }
}

/// cargo-lambda and `sam build` take "abort" where the profile is silent.
#[test]
fn a_release_build_survives_a_panic() {
    assert_eq!(toml("Cargo.toml")["profile"]["release"]["panic"].as_str(), Some("unwind"));
}

#[test]
fn every_event_has_a_function_and_an_expected_status_and_no_status_is_of_nothing() {
    let events = kit::events::all();
    for name in events.keys() {
        assert!(FUNCTIONS.iter().any(|function| name.starts_with(&format!("{function}-"))), "{name}");
    }
    assert!(events.keys().eq(kit::events::expected().keys()));
}
