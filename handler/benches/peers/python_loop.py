"""A peer of the benchmark: what a Lambda runtime does, without the weight of AWS's own client, so that the comparison
favours Python."""

import http.client
import json
import os

from python_urllib import handler

runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
PATH = "/2018-06-01/runtime/invocation/"
while True:
    runtime.request("GET", PATH + "next")
    following = runtime.getresponse()
    invocation = following.headers["lambda-runtime-aws-request-id"]
    answered = handler(json.loads(following.read()), None)
    runtime.request("POST", PATH + invocation + "/response", json.dumps(answered))
    runtime.getresponse().read()
