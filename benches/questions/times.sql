-- question: how many and since when
-- quick
-- engine: cloudtarn duckdb polars chdb
SELECT count(*) AS events, min(eventTime) AS first, max(eventTime) AS last FROM {events}

-- question: events by day and category
-- engine: cloudtarn duckdb polars
SELECT date_trunc('day', eventTime) AS day, eventCategory, count(*) AS events, count(DISTINCT recipientAccountId) AS accounts
FROM {events} GROUP BY 1, 2
-- engine: chdb
SELECT toStartOfDay(eventTime) AS day, eventCategory, count() AS events, uniqExact(recipientAccountId) AS accounts
FROM events GROUP BY 1, 2

-- question: hours of a day
-- quick
-- ordered
-- engine: cloudtarn duckdb polars
SELECT date_trunc('hour', eventTime) AS hour, count(*) AS events, count(errorCode) AS errors
FROM {events} WHERE eventTime >= '{day}' AND eventTime < '{next_day}' GROUP BY 1 ORDER BY 1
-- engine: chdb
SELECT toStartOfHour(eventTime) AS hour, count() AS events, countIf(errorCode != '') AS errors
FROM events WHERE eventTime >= '{day}' AND eventTime < '{next_day}' GROUP BY 1 ORDER BY 1

-- question: services of an hour
-- ordered
-- engine: cloudtarn duckdb polars chdb
SELECT eventSource, count(*) AS calls FROM {events}
WHERE eventTime >= '{hour}' AND eventTime < '{next_hour}' GROUP BY eventSource ORDER BY calls DESC, eventSource
-- engine: jq
# count
.Records[] | select((.eventTime | sub("T"; " ") | sub("Z"; "")) >= "{hour}" and (.eventTime | sub("T"; " ") | sub("Z"; "")) < "{next_hour}") | [.eventSource]

-- question: distinct callers by account
-- quick
-- engine: cloudtarn
SELECT recipientAccountId, count(DISTINCT userIdentity.arn) AS principals, count(DISTINCT nullif(userIdentity.accessKeyId, '')) AS access_keys,
       count(DISTINCT sourceIPAddress) AS addresses
FROM $EDS_ID GROUP BY recipientAccountId
-- engine: duckdb polars
SELECT recipientAccountId, count(DISTINCT identity_arn) AS principals, count(DISTINCT nullif(accessKeyId, '')) AS access_keys,
       count(DISTINCT sourceIPAddress) AS addresses
FROM events GROUP BY recipientAccountId
-- engine: chdb
SELECT recipientAccountId, uniqExactIf(identity_arn, identity_arn != '') AS principals,
       uniqExactIf(accessKeyId, accessKeyId != '') AS access_keys, uniqExact(sourceIPAddress) AS addresses
FROM events GROUP BY recipientAccountId

-- question: distinct events
-- engine: cloudtarn duckdb polars
SELECT count(DISTINCT eventID) AS events, count(DISTINCT requestID) AS requests FROM {events}
-- engine: chdb
SELECT uniqExact(eventID) AS events, uniqExactIf(requestID, requestID != '') AS requests FROM events
