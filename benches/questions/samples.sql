-- question: calls of every service
-- ordered
-- engine: cloudtarn duckdb polars chdb
SELECT eventSource, count(*) AS apiCount FROM {events} WHERE eventTime > '{week}'
GROUP BY eventSource ORDER BY apiCount DESC, eventSource
-- engine: jq
# count
.Records[] | select((.eventTime | sub("T"; " ") | sub("Z"; "")) > "{week}") | [.eventSource]

-- question: what a user did in a week
-- ordered
-- engine: cloudtarn
SELECT eventID, eventName, eventSource, eventTime FROM $EDS_ID
WHERE userIdentity.userName = '{user}' AND eventTime > '{week}' AND eventTime < '{next_day}'
ORDER BY eventTime DESC, eventID LIMIT 200
-- engine: duckdb polars chdb
SELECT eventID, eventName, eventSource, eventTime FROM events
WHERE userName = '{user}' AND eventTime > '{week}' AND eventTime < '{next_day}'
ORDER BY eventTime DESC, eventID LIMIT 200

-- question: TLS versions
-- quick
-- engine: cloudtarn
SELECT eventSource, tlsDetails.tlsVersion, count(*) AS calls FROM $EDS_ID
WHERE tlsDetails.tlsVersion IS NOT NULL GROUP BY eventSource, tlsDetails.tlsVersion
-- engine: duckdb polars
SELECT eventSource, tlsVersion, count(*) AS calls FROM events WHERE tlsVersion IS NOT NULL GROUP BY eventSource, tlsVersion
-- engine: chdb
SELECT eventSource, tlsVersion, count() AS calls FROM events WHERE tlsVersion != '' GROUP BY eventSource, tlsVersion

-- question: roles and who assumed them
-- ordered
-- engine: cloudtarn
SELECT element_at(requestParameters, 'roleArn') AS role, coalesce(userIdentity.arn, userIdentity.invokedBy) AS caller, count(*) AS times
FROM $EDS_ID WHERE eventName = 'AssumeRole' AND errorCode IS NULL
  AND coalesce(userIdentity.arn, userIdentity.invokedBy) IS NOT NULL
GROUP BY 1, 2 ORDER BY times DESC, role, caller LIMIT 100
-- engine: duckdb
SELECT requestParameters['roleArn'] AS role, coalesce(identity_arn, invokedBy) AS caller, count(*) AS times
FROM events WHERE eventName = 'AssumeRole' AND errorCode IS NULL AND coalesce(identity_arn, invokedBy) IS NOT NULL
GROUP BY 1, 2 ORDER BY times DESC, role, caller LIMIT 100
-- engine: chdb
SELECT requestParameters['roleArn'] AS role, if(identity_arn = '', invokedBy, identity_arn) AS caller, count() AS times
FROM events WHERE eventName = 'AssumeRole' AND errorCode = '' AND caller != ''
GROUP BY 1, 2 ORDER BY times DESC, role, caller LIMIT 100

-- question: latest errors
-- quick
-- ordered
-- engine: cloudtarn duckdb polars
SELECT eventTime, eventID, eventSource, eventName, errorCode, errorMessage FROM {events}
WHERE errorCode IS NOT NULL ORDER BY eventTime DESC, eventID LIMIT 20
-- engine: chdb
SELECT eventTime, eventID, eventSource, eventName, errorCode, errorMessage FROM events
WHERE errorCode != '' ORDER BY eventTime DESC, eventID LIMIT 20

-- question: any ten writes
-- quick
-- any rows
-- engine: cloudtarn
SELECT eventTime, eventID, eventName, userIdentity.arn, requestParameters, eventJson FROM $EDS_ID WHERE readOnly = false LIMIT 10
-- engine: duckdb
SELECT eventTime, eventID, eventName, identity_arn, requestParameters, eventJson FROM events WHERE NOT readOnly LIMIT 10
-- engine: chdb
SELECT eventTime, eventID, eventName, identity_arn, requestParameters, eventJson FROM events WHERE NOT readOnly LIMIT 10
