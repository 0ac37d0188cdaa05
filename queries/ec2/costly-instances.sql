-- title: Large or accelerated instances launched
-- answers: Who launched instances of the kinds that miners like, where, and how many?
-- severity: medium
-- outcomes: both
-- mitre: TA0040:T1496.001
-- tags: ec2, cost
-- parameter: types text: Pattern of instance types
SELECT eventTime, recipientAccountId, awsRegion, element_at(requestParameters, 'instanceType') AS instance_type,
       json_extract_scalar(element_at(requestParameters, 'instancesSet'), '$.items[0].maxCount') AS instances,
       userIdentity.arn AS principal, sourceIPAddress, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'RunInstances'
  AND regexp_like(element_at(requestParameters, 'instanceType'), '^(p[0-9]|g[0-9]|trn|inf|dl)|(12|16|24|32|48)xlarge|metal' /* :types */)
ORDER BY eventTime, eventID
