"""Sends preflights to every route of the deployed API, and the same events to the route's function by itself, because
API Gateway overrides what a function says of CORS. The pages of the first origins may call the API, those of the second
may not:

    preflights.py http://localhost:3000,https://todo.example.com https://foreign.example.com
"""

import json
import os
import re
import sys
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import boto3

METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}
HEADERS = {"authorization", "content-type", "sentry-trace", "baggage", "traceparent"}  # tracing libraries send three

api_gateway, functions = boto3.client("apigatewayv2"), boto3.client("lambda")
allowed, foreign = (argument.split(",") for argument in sys.argv[1:])


def headers_from(origin):
    return {
        "origin": origin,
        "access-control-request-method": "PUT",
        "access-control-request-headers": ",".join(sorted(HEADERS)),
    }


def ask_api(api, path, headers):
    host = urlsplit(api["ApiEndpoint"]).netloc  # which not every resolver knows
    request = urllib.request.Request(
        os.environ["AWS_ENDPOINT_URL"] + path, method="OPTIONS", headers=headers | {"host": host}
    )
    try:
        answer = urllib.request.urlopen(request)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return answer.status, answer.headers.items()


def ask_function(function, route_key, path, headers):
    event = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "preflights",
            "http": {"method": "OPTIONS", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
            "requestId": "preflight",
            "routeKey": route_key,
            "stage": "$default",
            "time": "27/Nov/2026:00:00:00 +0000",
            "timeEpoch": 1795737600000,
        },
        "isBase64Encoded": False,
    }
    answer = json.load(functions.invoke(FunctionName=function, Payload=json.dumps(event))["Payload"])
    return answer.get("statusCode"), answer.get("headers", {}).items()


def fault(origin, status, headers):
    """What is wrong with an answer, or None."""
    cors = {}
    for name, value in headers:
        name = name.lower()
        if name.startswith("access-control-"):
            if name in cors:
                return f"{name} is there twice"
            cors[name] = value
    expected = 204, origin if origin in allowed else None
    came = status, cors.get("access-control-allow-origin")
    if came != expected:
        return f"status and Access-Control-Allow-Origin {expected} were expected, and {came} came"
    if origin not in allowed:
        return None
    if missing := METHODS - listed(cors, "access-control-allow-methods"):
        return f"the methods {missing} are not allowed: {cors}"
    allow_headers = listed(cors, "access-control-allow-headers")
    # For browsers the asterisk does not include this one.
    if missing := {"authorization"} - allow_headers if "*" in allow_headers else HEADERS - allow_headers:
        return f"the headers {missing} are not allowed: {cors}"
    return None


def listed(headers, name):
    return set(headers.get(name, "").replace(" ", "").split(","))


(api,) = api_gateway.get_apis()["Items"]
configured = api.get("CorsConfiguration", {}).get("AllowOrigins")
faults = [] if configured == allowed else [f"the API allows {configured}, not {allowed}"]
routes = api_gateway.get_routes(ApiId=api["ApiId"], MaxResults="500")["Items"]
for route in routes:
    integration = route["Target"].removeprefix("integrations/")
    integration = api_gateway.get_integration(ApiId=api["ApiId"], IntegrationId=integration)
    function = re.search("functions/(.*)/invocations", integration["IntegrationUri"])[1]
    path = re.sub("{.*?}", "019bc000-0000-7000-8000-000000000002", route["RouteKey"].removeprefix("ANY "))
    for origin in allowed + foreign:
        headers = headers_from(origin)
        for who, (status, answered) in {
            "the API": ask_api(api, path, headers),
            function.split(":")[-1]: ask_function(function, route["RouteKey"], path, headers),
        }.items():
            wrong = fault(origin, status, answered)
            if wrong:
                faults.append(f"{who}, OPTIONS {path} from {origin}: {wrong}")
if not routes:
    faults.append("the API has no routes")
if faults:
    sys.exit("\n".join(faults))
print(f"preflights to {len(routes)} routes are answered as {', '.join(allowed)} may call the API")
