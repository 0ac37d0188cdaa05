-- question: event id
-- quick
-- engine: cloudtarn
SELECT eventTime, eventSource, eventName, awsRegion, sourceIPAddress, userIdentity.arn, errorCode
FROM $EDS_ID WHERE eventID = '{event_id}'
-- engine: duckdb polars chdb
SELECT eventTime, eventSource, eventName, awsRegion, sourceIPAddress, identity_arn, errorCode
FROM events WHERE eventID = '{event_id}'
-- engine: jq
.Records[] | select(.eventID == "{event_id}")
| [(.eventTime | sub("T"; " ") | sub("Z"; "")), .eventSource, .eventName, .awsRegion, .sourceIPAddress, .userIdentity.arn, .errorCode]

-- question: access key
-- quick
-- ordered
-- engine: cloudtarn
SELECT eventTime, eventID, eventSource, eventName, sourceIPAddress, errorCode
FROM $EDS_ID WHERE userIdentity.accessKeyId = '{access_key}' ORDER BY eventTime, eventID
-- engine: duckdb polars chdb
SELECT eventTime, eventID, eventSource, eventName, sourceIPAddress, errorCode
FROM events WHERE accessKeyId = '{access_key}' ORDER BY eventTime, eventID
-- engine: jq
# sorted
.Records[] | select(.userIdentity.accessKeyId == "{access_key}")
| [(.eventTime | sub("T"; " ") | sub("Z"; "")), .eventID, .eventSource, .eventName, .sourceIPAddress, .errorCode]

-- question: address
-- quick
-- ordered
-- engine: cloudtarn
SELECT eventTime, eventID, eventName, userIdentity.arn, userAgent
FROM $EDS_ID WHERE sourceIPAddress = '{address}' ORDER BY eventTime, eventID LIMIT 100
-- engine: duckdb polars chdb
SELECT eventTime, eventID, eventName, identity_arn, userAgent
FROM events WHERE sourceIPAddress = '{address}' ORDER BY eventTime, eventID LIMIT 100
-- engine: jq
# first 100
.Records[] | select(.sourceIPAddress == "{address}")
| [(.eventTime | sub("T"; " ") | sub("Z"; "")), .eventID, .eventName, .userIdentity.arn, .userAgent]

-- question: what a principal called
-- engine: cloudtarn
SELECT eventSource, eventName, count(*) AS calls, count(DISTINCT sourceIPAddress) AS addresses, min(eventTime) AS first,
       max(eventTime) AS last
FROM $EDS_ID WHERE userIdentity.arn = '{principal}' GROUP BY eventSource, eventName
-- engine: duckdb polars
SELECT eventSource, eventName, count(*) AS calls, count(DISTINCT sourceIPAddress) AS addresses, min(eventTime) AS first,
       max(eventTime) AS last
FROM events WHERE identity_arn = '{principal}' GROUP BY eventSource, eventName
-- engine: chdb
SELECT eventSource, eventName, count() AS calls, uniqExact(sourceIPAddress) AS addresses, min(eventTime) AS first,
       max(eventTime) AS last
FROM events WHERE identity_arn = '{principal}' GROUP BY eventSource, eventName

-- question: resource by its ARN
-- quick
-- engine: cloudtarn
SELECT eventTime, eventID, eventName, sourceIPAddress, r.kind
FROM $EDS_ID CROSS JOIN UNNEST(resources) AS r (account, kind, name, prefix)
WHERE r.name = '{resource}'
-- engine: duckdb
SELECT eventTime, eventID, eventName, sourceIPAddress, r.type
FROM (SELECT eventTime, eventID, eventName, sourceIPAddress, unnest(resources) AS r FROM events)
WHERE r.ARN = '{resource}'
-- engine: chdb
SELECT eventTime, eventID, eventName, sourceIPAddress, type
FROM (SELECT * FROM events WHERE has(resources.ARN, '{resource}')) ARRAY JOIN resources.type AS type, resources.ARN AS arn
WHERE arn = '{resource}'

-- question: text in a record
-- quick
-- engine: cloudtarn duckdb polars chdb
SELECT eventTime, eventID, eventName FROM {events} WHERE eventJson LIKE '%{text}%'
-- engine: jq
.Records[] | select(tojson | contains("{text}")) | [(.eventTime | sub("T"; " ") | sub("Z"; "")), .eventID, .eventName]

-- question: text in a day's records
-- engine: cloudtarn duckdb polars chdb
SELECT eventSource, count(*) AS events FROM {events}
WHERE eventTime >= '{day}' AND eventTime < '{next_day}' AND eventJson LIKE '%"mfaAuthenticated":"true"%'
GROUP BY eventSource
