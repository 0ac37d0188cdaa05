-- question: busiest calls
-- quick
-- ordered
-- engine: cloudtarn
SELECT eventSource, eventName, count(*) AS calls, count(DISTINCT userIdentity.arn) AS principals,
       count_if(errorCode IS NOT NULL) AS errors
FROM $EDS_ID GROUP BY eventSource, eventName ORDER BY calls DESC, eventSource, eventName LIMIT 10
-- engine: duckdb polars
SELECT eventSource, eventName, count(*) AS calls, count(DISTINCT identity_arn) AS principals, count(errorCode) AS errors
FROM events GROUP BY eventSource, eventName ORDER BY calls DESC, eventSource, eventName LIMIT 10
-- engine: chdb
SELECT eventSource, eventName, count() AS calls, uniqExactIf(identity_arn, identity_arn != '') AS principals,
       countIf(errorCode != '') AS errors
FROM events GROUP BY eventSource, eventName ORDER BY calls DESC, eventSource, eventName LIMIT 10

-- question: commonest errors
-- ordered
-- engine: cloudtarn
SELECT eventSource, eventName, errorCode, count(*) AS errors, count(DISTINCT userIdentity.arn) AS principals,
       min(eventTime) AS first, max(eventTime) AS last
FROM $EDS_ID WHERE errorCode IS NOT NULL
GROUP BY eventSource, eventName, errorCode HAVING count(*) >= 5
ORDER BY errors DESC, eventSource, eventName, errorCode LIMIT 50
-- engine: duckdb polars
SELECT eventSource, eventName, errorCode, count(*) AS errors, count(DISTINCT identity_arn) AS principals,
       min(eventTime) AS first, max(eventTime) AS last
FROM events WHERE errorCode IS NOT NULL
GROUP BY eventSource, eventName, errorCode HAVING count(*) >= 5
ORDER BY errors DESC, eventSource, eventName, errorCode LIMIT 50
-- engine: chdb
SELECT eventSource, eventName, errorCode, count() AS errors, uniqExactIf(identity_arn, identity_arn != '') AS principals,
       min(eventTime) AS first, max(eventTime) AS last
FROM events WHERE errorCode != ''
GROUP BY eventSource, eventName, errorCode HAVING count() >= 5
ORDER BY errors DESC, eventSource, eventName, errorCode LIMIT 50

-- question: key used from several addresses
-- engine: cloudtarn
SELECT recipientAccountId, userIdentity.accessKeyId AS access_key, userIdentity.arn AS principal,
       count(DISTINCT sourceIPAddress) AS addresses, array_join(array_sort(array_agg(DISTINCT sourceIPAddress)), ' ') AS list,
       count_if(errorCode IS NULL) AS succeeded, count_if(errorCode IS NOT NULL) AS attempted
FROM $EDS_ID
WHERE userIdentity.accessKeyId LIKE 'A%'
  AND sourceIPAddress NOT LIKE '%.amazonaws.com' AND sourceIPAddress NOT LIKE 'AWS Internal%'
GROUP BY 1, 2, 3 HAVING count(DISTINCT sourceIPAddress) >= 2
-- engine: duckdb
SELECT recipientAccountId, accessKeyId, identity_arn, count(DISTINCT sourceIPAddress) AS addresses,
       string_agg(DISTINCT sourceIPAddress, ' ' ORDER BY sourceIPAddress) AS list,
       count_if(errorCode IS NULL) AS succeeded, count(errorCode) AS attempted
FROM events
WHERE accessKeyId LIKE 'A%' AND sourceIPAddress NOT LIKE '%.amazonaws.com' AND sourceIPAddress NOT LIKE 'AWS Internal%'
GROUP BY 1, 2, 3 HAVING count(DISTINCT sourceIPAddress) >= 2
-- engine: chdb
SELECT recipientAccountId, accessKeyId, identity_arn, uniqExact(sourceIPAddress) AS addresses,
       arrayStringConcat(arraySort(groupUniqArray(sourceIPAddress)), ' ') AS list,
       countIf(errorCode = '') AS succeeded, countIf(errorCode != '') AS attempted
FROM events
WHERE accessKeyId LIKE 'A%' AND sourceIPAddress NOT LIKE '%.amazonaws.com' AND sourceIPAddress NOT LIKE 'AWS Internal%'
GROUP BY 1, 2, 3 HAVING uniqExact(sourceIPAddress) >= 2

-- question: reconnaissance burst
-- engine: cloudtarn
SELECT from_unixtime(floor(to_unixtime(eventTime) / 600) * 600) AS ten_minutes, recipientAccountId,
       userIdentity.arn AS principal, sourceIPAddress, count(DISTINCT eventName) AS calls,
       count(DISTINCT eventSource) AS services, count_if(errorCode IS NULL) AS succeeded,
       count_if(errorCode IS NOT NULL) AS attempted
FROM $EDS_ID
WHERE regexp_like(eventName, '^(List|Get|Describe)')
  AND userIdentity.type <> 'AWSService' AND sourceIPAddress NOT LIKE '%.amazonaws.com'
GROUP BY 1, 2, 3, 4 HAVING count(DISTINCT eventName) >= {calls}
-- engine: duckdb
SELECT time_bucket(INTERVAL '10 minutes', eventTime) AS ten_minutes, recipientAccountId, identity_arn, sourceIPAddress,
       count(DISTINCT eventName) AS calls, count(DISTINCT eventSource) AS services,
       count_if(errorCode IS NULL) AS succeeded, count(errorCode) AS attempted
FROM events
WHERE (eventName LIKE 'List%' OR eventName LIKE 'Get%' OR eventName LIKE 'Describe%')
  AND identity_type <> 'AWSService' AND sourceIPAddress NOT LIKE '%.amazonaws.com'
GROUP BY 1, 2, 3, 4 HAVING count(DISTINCT eventName) >= {calls}
-- engine: chdb
SELECT toStartOfTenMinutes(eventTime) AS ten_minutes, recipientAccountId, identity_arn, sourceIPAddress,
       uniqExact(eventName) AS calls, uniqExact(eventSource) AS services,
       countIf(errorCode = '') AS succeeded, countIf(errorCode != '') AS attempted
FROM events
WHERE (eventName LIKE 'List%' OR eventName LIKE 'Get%' OR eventName LIKE 'Describe%')
  AND identity_type NOT IN ('', 'AWSService') AND sourceIPAddress NOT LIKE '%.amazonaws.com'
GROUP BY 1, 2, 3, 4 HAVING uniqExact(eventName) >= {calls}

-- question: changes from the console
-- engine: cloudtarn
SELECT userIdentity.arn AS principal, recipientAccountId, count(DISTINCT eventName) AS calls,
       count_if(errorCode IS NULL) AS succeeded, count_if(errorCode IS NOT NULL) AS attempted,
       min(eventTime) AS first, max(eventTime) AS last
FROM $EDS_ID WHERE readOnly = false AND sessionCredentialFromConsole = 'true' AND eventType = 'AwsApiCall'
GROUP BY userIdentity.arn, recipientAccountId
-- engine: duckdb
SELECT identity_arn AS principal, recipientAccountId, count(DISTINCT eventName) AS calls,
       count_if(errorCode IS NULL) AS succeeded, count(errorCode) AS attempted,
       min(eventTime) AS first, max(eventTime) AS last
FROM events WHERE NOT readOnly AND sessionCredentialFromConsole = 'true' AND eventType = 'AwsApiCall'
GROUP BY identity_arn, recipientAccountId
-- engine: chdb
SELECT identity_arn AS principal, recipientAccountId, uniqExact(eventName) AS calls,
       countIf(errorCode = '') AS succeeded, countIf(errorCode != '') AS attempted,
       min(eventTime) AS first, max(eventTime) AS last
FROM events WHERE NOT readOnly AND sessionCredentialFromConsole = 'true' AND eventType = 'AwsApiCall'
GROUP BY identity_arn, recipientAccountId

-- question: data events by bucket
-- quick
-- ordered
-- engine: cloudtarn
SELECT element_at(requestParameters, 'bucketName') AS bucket, recipientAccountId, count(*) AS events,
       count_if(readOnly) AS reads, count(DISTINCT userIdentity.arn) AS principals
FROM $EDS_ID WHERE eventCategory = 'Data' AND eventSource = 's3.amazonaws.com'
GROUP BY element_at(requestParameters, 'bucketName'), recipientAccountId
ORDER BY events DESC, bucket, recipientAccountId LIMIT 50
-- engine: duckdb
SELECT requestParameters['bucketName'] AS bucket, recipientAccountId, count(*) AS events, count_if(readOnly) AS reads,
       count(DISTINCT identity_arn) AS principals
FROM events WHERE eventCategory = 'Data' AND eventSource = 's3.amazonaws.com'
GROUP BY 1, recipientAccountId ORDER BY events DESC, bucket, recipientAccountId LIMIT 50
-- engine: chdb
SELECT requestParameters['bucketName'] AS bucket, recipientAccountId, count() AS events, countIf(readOnly) AS reads,
       uniqExactIf(identity_arn, identity_arn != '') AS principals
FROM events WHERE eventCategory = 'Data' AND eventSource = 's3.amazonaws.com'
GROUP BY bucket, recipientAccountId ORDER BY events DESC, bucket, recipientAccountId LIMIT 50

-- question: sign-ins without MFA
-- engine: cloudtarn
SELECT eventTime, eventID, recipientAccountId, userIdentity.arn AS principal, sourceIPAddress
FROM $EDS_ID
WHERE eventName = 'ConsoleLogin' AND element_at(responseElements, 'ConsoleLogin') = 'Success'
  AND element_at(additionalEventData, 'MFAUsed') = 'No'
-- engine: duckdb
SELECT eventTime, eventID, recipientAccountId, identity_arn AS principal, sourceIPAddress
FROM events
WHERE eventName = 'ConsoleLogin' AND responseElements['ConsoleLogin'] = 'Success' AND additionalEventData['MFAUsed'] = 'No'
-- engine: chdb
SELECT eventTime, eventID, recipientAccountId, identity_arn AS principal, sourceIPAddress
FROM events
WHERE eventName = 'ConsoleLogin'
  AND responseElements['ConsoleLogin'] = 'Success' AND additionalEventData['MFAUsed'] = 'No'
