"""Logs are read in pages with FilterLogEvents, and with queries of Logs Insights that take a moment."""

import time

from aws import *

logs = boto3.client("logs", config=ONCE)
GROUP = "/aws/lambda/f"
logs.create_log_group(logGroupName=GROUP)
now = int(time.time()) * 1000 - 100_000
for stream, step in [("a", 1), ("b", 2)]:
    logs.create_log_stream(logGroupName=GROUP, logStreamName=stream)
    for start in range(0, 8000, 4000):
        events = [
            {"timestamp": now + n * step, "message": json.dumps({"outcome": "migrated" if n % 4 else "not-found", "n": n})}
            for n in range(start, start + 4000)
        ]
        logs.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=events)

# The pages contain each event exactly once.
for limit in [{}, {"limit": 700}]:
    seen, token, pages = [], {}, 0
    while True:
        page = logs.filter_log_events(logGroupName=GROUP, startTime=now, **limit, **token)
        seen += [(event["logStreamName"], event["message"]) for event in page["events"]]
        pages += 1
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    assert len(seen) == 16000 == len(set(seen)) and pages > 1, (len(seen), len(set(seen)), pages)
with refused("InvalidParameterException", "nextToken"):
    logs.filter_log_events(logGroupName=GROUP, nextToken="x")


def query(text, **more):
    span = {"startTime": now // 1000, "endTime": now // 1000 + 100, **more}
    started = logs.start_query(logGroupName=GROUP, queryString=text, **span)
    answer = logs.get_query_results(queryId=started["queryId"])
    # A running query has no results yet.
    while answer["status"] == "Running":
        assert answer["results"] == []
        time.sleep(0.05)
        answer = logs.get_query_results(queryId=started["queryId"])
    assert answer["status"] == "Complete"
    return [{column["field"]: column["value"] for column in row} for row in answer["results"]]


# The service counts the events and returns one row for each outcome.
assert query("filter ispresent(outcome) | stats count(*) as n by outcome") == [
    {"outcome": "migrated", "n": "12000"},
    {"outcome": "not-found", "n": "4000"},
]
assert query("fields n | sort n desc | limit 1") == [{"n": "7999"}]
with refused("MalformedQueryException"):
    query("count everything")
with refused("MalformedQueryException"):
    query("fields n", endTime=now // 1000 - 1)
with refused("ResourceNotFoundException"):
    logs.start_query(logGroupName="/none", queryString="fields n", startTime=0, endTime=1)
