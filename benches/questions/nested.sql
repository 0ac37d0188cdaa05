-- question: kinds of resources
-- quick
-- engine: cloudtarn
SELECT r.type, count(*) AS uses, count(DISTINCT r.arn) AS resources
FROM $EDS_ID CROSS JOIN UNNEST(resources) AS r (accountId, type, arn, arnPrefix) GROUP BY r.type
-- engine: duckdb
SELECT r.type, count(*) AS uses, count(DISTINCT r.ARN) AS resources
FROM (SELECT unnest(resources) AS r FROM events) GROUP BY r.type
-- engine: chdb
SELECT type, count() AS uses, uniqExactIf(arn, arn != '') AS different
FROM events ARRAY JOIN resources.type AS type, resources.ARN AS arn GROUP BY type

-- question: keys of request parameters
-- engine: cloudtarn
SELECT eventSource, parameter, count(*) AS times
FROM $EDS_ID CROSS JOIN UNNEST(requestParameters) AS p (parameter, value)
WHERE eventSource IN ('s3.amazonaws.com', 'ec2.amazonaws.com') GROUP BY eventSource, parameter
-- engine: duckdb
SELECT eventSource, parameter, count(*) AS times
FROM (SELECT eventSource, unnest(map_keys(requestParameters)) AS parameter FROM events
      WHERE eventSource IN ('s3.amazonaws.com', 'ec2.amazonaws.com'))
GROUP BY eventSource, parameter
-- engine: chdb
SELECT eventSource, parameter, count() AS times
FROM events ARRAY JOIN requestParameters.keys AS parameter
WHERE eventSource IN ('s3.amazonaws.com', 'ec2.amazonaws.com') GROUP BY eventSource, parameter

-- question: bytes out of each bucket
-- ordered
-- engine: cloudtarn
SELECT element_at(requestParameters, 'bucketName') AS bucket,
       sum(CAST(element_at(additionalEventData, 'bytesTransferredOut') AS double)) AS bytes
FROM $EDS_ID WHERE eventSource = 's3.amazonaws.com' AND eventName = 'GetObject'
GROUP BY 1 ORDER BY bytes DESC, bucket LIMIT 20
-- engine: duckdb
SELECT requestParameters['bucketName'] AS bucket, sum(additionalEventData['bytesTransferredOut']::DOUBLE) AS bytes
FROM events WHERE eventSource = 's3.amazonaws.com' AND eventName = 'GetObject'
GROUP BY 1 ORDER BY bytes DESC, bucket LIMIT 20
-- engine: chdb
SELECT requestParameters['bucketName'] AS bucket, sum(toFloat64OrZero(additionalEventData['bytesTransferredOut'])) AS bytes
FROM events WHERE eventSource = 's3.amazonaws.com' AND eventName = 'GetObject'
GROUP BY 1 ORDER BY bytes DESC, bucket LIMIT 20

-- question: instances started
-- engine: cloudtarn
SELECT json_extract_scalar(element_at(responseElements, 'instancesSet'), '$.items[0].instanceType') AS type,
       json_extract_scalar(element_at(responseElements, 'instancesSet'), '$.items[0].placement.availabilityZone') AS zone,
       count(*) AS instances
FROM $EDS_ID WHERE eventSource = 'ec2.amazonaws.com' AND eventName = 'RunInstances' AND errorCode IS NULL GROUP BY 1, 2
-- engine: duckdb
SELECT responseElements['instancesSet']->>'$.items[0].instanceType' AS type,
       responseElements['instancesSet']->>'$.items[0].placement.availabilityZone' AS zone, count(*) AS instances
FROM events WHERE eventSource = 'ec2.amazonaws.com' AND eventName = 'RunInstances' AND errorCode IS NULL GROUP BY 1, 2
-- engine: chdb
SELECT JSONExtractString(responseElements['instancesSet'], 'items', 1, 'instanceType') AS type,
       JSONExtractString(responseElements['instancesSet'], 'items', 1, 'placement', 'availabilityZone') AS zone,
       count() AS instances
FROM events WHERE eventSource = 'ec2.amazonaws.com' AND eventName = 'RunInstances' AND errorCode = '' GROUP BY 1, 2

-- question: tags given
-- engine: cloudtarn
SELECT json_extract_scalar(tag, '$.key') AS name, json_extract_scalar(tag, '$.value') AS value, count(*) AS times
FROM $EDS_ID
CROSS JOIN UNNEST(CAST(json_extract(element_at(requestParameters, 'tagSet'), '$.items') AS array(json))) AS t (tag)
WHERE eventSource = 'ec2.amazonaws.com' AND eventName = 'CreateTags' GROUP BY 1, 2
-- engine: duckdb
SELECT tag->>'$.key' AS name, tag->>'$.value' AS value, count(*) AS times
FROM (SELECT unnest(json_extract(requestParameters['tagSet'], '$.items[*]')) AS tag FROM events
      WHERE eventSource = 'ec2.amazonaws.com' AND eventName = 'CreateTags')
GROUP BY 1, 2
-- engine: chdb
SELECT JSONExtractString(tag, 'key') AS name, JSONExtractString(tag, 'value') AS value, count() AS times
FROM events ARRAY JOIN JSONExtractArrayRaw(requestParameters['tagSet'], 'items') AS tag
WHERE eventSource = 'ec2.amazonaws.com' AND eventName = 'CreateTags' GROUP BY 1, 2

-- question: eventJson of one call
-- quick
-- engine: cloudtarn
SELECT json_extract_scalar(eventJson, '$.requestParameters.encryptionContext["aws:s3:arn"]') IS NOT NULL AS of_s3, count(*) AS times
FROM $EDS_ID WHERE eventSource = 'kms.amazonaws.com' AND eventName = 'Decrypt' GROUP BY 1
-- engine: duckdb
SELECT requestParameters['encryptionContext']->>'$."aws:s3:arn"' IS NOT NULL AS of_s3, count(*) AS times
FROM events WHERE eventSource = 'kms.amazonaws.com' AND eventName = 'Decrypt' GROUP BY 1
-- engine: chdb
SELECT JSONHas(requestParameters['encryptionContext'], 'aws:s3:arn') AS of_s3, count() AS times
FROM events WHERE eventSource = 'kms.amazonaws.com' AND eventName = 'Decrypt' GROUP BY 1

-- question: eventJson of every record
-- engine: cloudtarn
SELECT json_extract_scalar(eventJson, '$.userIdentity.sessionContext.sessionIssuer.userName') AS role,
       json_extract_scalar(eventJson, '$.requestParameters.bucketName') AS bucket, count(*) AS times
FROM $EDS_ID GROUP BY 1, 2
-- engine: duckdb
SELECT issuer_name, requestParameters['bucketName'] AS bucket, count(*) AS times FROM events GROUP BY 1, 2
-- engine: chdb
SELECT issuer_name, requestParameters['bucketName'] AS bucket, count() AS times FROM events GROUP BY 1, 2

-- question: deep in eventJson
-- engine: cloudtarn
SELECT json_extract_scalar(eventJson, '$.responseElements.credentials.expiration') IS NOT NULL AS given, count(*) AS times
FROM $EDS_ID WHERE eventTime >= '{week}' AND eventTime < '{next_day}' GROUP BY 1
-- engine: duckdb
SELECT responseElements['credentials']->>'$.expiration' IS NOT NULL AS given, count(*) AS times
FROM events WHERE eventTime >= '{week}' AND eventTime < '{next_day}' GROUP BY 1
-- engine: chdb
SELECT JSONHas(responseElements['credentials'], 'expiration') AS given, count() AS times
FROM events WHERE eventTime >= '{week}' AND eventTime < '{next_day}' GROUP BY 1
