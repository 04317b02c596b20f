"""Starts ministack, an emulator of AWS, and adds what the stack of template.yaml needs and ministack 1.5.33 lacks.

AWS_ENDPOINT_URL says where it shall listen, which is also where the functions find SSM.
"""

import json
import os
from urllib.parse import urlsplit

# ministack reads these when it is imported.
os.environ.update(
    AUTH="true",  # IAM's policies decide, as on AWS
    BIND_HOST="127.0.0.1",
    GATEWAY_PORT=str(urlsplit(os.environ["AWS_ENDPOINT_URL"]).port),
    IOT_MTLS_ENABLED="0",
    SFTP_ENABLED="0",
)

import samtranslator.translator.transform as sam
from ministack import app
from ministack.core import iam_actions, iam_evaluator
from ministack.services import apigateway
from ministack.services.cloudformation import changesets, engine, handlers, provisioners

# ministack answers /health itself, at every host. Here the API has it.
app._HEALTH_PATHS = ("/_ministack/health",)

# ministack does not read the Body of AWS::ApiGatewayV2::Api, where SAM's transform puts routes, integrations and CORS.
api_handlers = provisioners._RESOURCE_HANDLERS["AWS::ApiGatewayV2::Api"]
create_api, update_api = api_handlers["create"], api_handlers["update"]


def create(logical_id, properties, stack_name):
    api_id, attributes = create_api(logical_id, properties, stack_name)
    import_body(api_id, properties["Body"])
    return api_id, attributes


def update(physical_id, old_properties, properties, *rest):
    api_id, attributes = update_api(physical_id, old_properties, properties, *rest)
    import_body(api_id, properties["Body"])
    return api_id, attributes


def import_body(api_id, body):
    routes, integrations = {}, {}
    for path, item in body["paths"].items():
        for method, operation in item.items():
            integration = operation["x-amazon-apigateway-integration"]
            number = f"{len(routes):07x}"
            properties = {
                "IntegrationType": integration["type"].upper(),
                "IntegrationUri": integration["uri"],
                "IntegrationMethod": integration["httpMethod"],
                "PayloadFormatVersion": integration["payloadFormatVersion"],
            }
            integrations[number] = {
                "integrationId": number,
                **provisioners._apigw_v2_integration_props(properties),
            }
            method = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
            properties = {"RouteKey": f"{method} {path}", "Target": f"integrations/{number}"}
            routes[number] = {"routeId": number, **provisioners._apigw_v2_route_props(properties)}
    apigateway._routes[api_id], apigateway._integrations[api_id] = routes, integrations
    api = apigateway._apis[api_id]
    api["name"] = body["info"]["title"]
    cors = body.get("x-amazon-apigateway-cors", {})
    api["corsConfiguration"] = {name[0].lower() + name[1:]: value for name, value in cors.items()}


api_handlers.update(create=create, update=update)

# ministack answers every preflight itself. API Gateway, as people report it (aws/serverless-application-model#1603,
# anomalyco/sst#5493), hands a preflight to the function where a route takes any method, and the browser gets the
# function's status.
execute = apigateway._handle_execute_in_scope
invoke = apigateway._invoke_lambda_proxy


async def handle_execute(api_id, stage, path, method, headers, body, query, account, region, raw_query=None):
    route = apigateway._match_route(api_id, method, path) if method == "OPTIONS" else None
    if not route:
        return await execute(api_id, stage, path, method, headers, body, query, account, region, raw_query)
    key = route["routeKey"]
    status, answer_headers, answer_body = await apigateway._invoke_lambda_proxy(
        apigateway._integrations[api_id][route["target"].removeprefix("integrations/")],
        api_id,
        stage,
        path,
        method,
        {name.lower(): value for name, value in headers.items()},
        body,
        query,
        key,
        apigateway._extract_path_params(key.split(" ")[1], path) or None,
        owner_account_id=account,
        owner_region=region,
        raw_query_string=raw_query,
    )
    cors = apigateway._apis[api_id]["corsConfiguration"]
    if cors:
        _, cors_headers, _ = apigateway._cors_preflight_response(cors, headers.get("origin", ""))
        answer_headers |= {name: value for name, value in cors_headers.items() if is_of_cors(name)}
    return status, answer_headers, answer_body


# API Gateway drops what a function says of CORS where the API has a CORS configuration. ministack sends both.
async def invoke_lambda_proxy(integration, api_id, *arguments, **keywords):
    status, headers, body = await invoke(integration, api_id, *arguments, **keywords)
    if apigateway._apis[api_id]["corsConfiguration"]:
        headers = {name: value for name, value in headers.items() if not is_of_cors(name)}
    return status, headers, body


def is_of_cors(header):
    return header.lower().startswith("access-control-")


apigateway._handle_execute_in_scope, apigateway._invoke_lambda_proxy = handle_execute, invoke_lambda_proxy

# SAM's transform takes the values of the stack's parameters. ministack hands it none, and it takes their defaults.
apply, transform = engine._apply_transforms, sam.transform


def apply_transforms(template, provided=None, previous=None):
    values = engine._transform_parameters(template, provided, previous)

    def transform_with_values(template, _, policies):
        return transform(template, values, policies)

    sam.transform = transform_with_values
    return apply(template, provided, previous)


for module in (changesets, engine, handlers):
    module._apply_transforms = apply_transforms

# IAM must allow GetParameters for each parameter that is asked for. ministack checks it for "*", which no policy of the
# stack allows. The ARNs go from one function to the other as one string, separated by spaces, which no ARN has.
extract, enforce = iam_actions.extract_resource_arn, iam_evaluator.enforce


def extract_resource_arn(service, method, path, headers, body, query, region, account):
    if service == "ssm" and iam_actions._action_from_target(headers) == "GetParameters":
        names = json.loads(body)["Names"]
        return " ".join(f"arn:aws:ssm:{region}:{account}:parameter{name}" for name in names)
    return extract(service, method, path, headers, body, query, region, account)


def enforce_each(*arguments, resource_arn="*", **keywords):
    for arn in resource_arn.split(" "):
        denied = enforce(*arguments, resource_arn=arn, **keywords)
        if denied:
            return denied
    return None


iam_actions.extract_resource_arn, iam_evaluator.enforce = extract_resource_arn, enforce_each

# ministack refuses alarms on metric math. They get a metric that nothing sends, and never change their state.
alarm_record = provisioners._cw_metric_alarm_record


def alarm_without_math(name, properties):
    if "Metrics" in properties:
        properties = {"Namespace": "none", "MetricName": "none", **properties, "Metrics": None}
    return alarm_record(name, properties)


provisioners._cw_metric_alarm_record = alarm_without_math

app.main()
