-- title: A database's master password changed
-- answers: Which databases were given a new master password by hand?
-- severity: medium
-- outcomes: both
-- mitre: TA0003:T1098
-- tags: rds
SELECT eventTime, recipientAccountId, awsRegion, eventName,
       coalesce(element_at(requestParameters, 'dBInstanceIdentifier'),
                element_at(requestParameters, 'dBClusterIdentifier')) AS database_name,
       userIdentity.arn AS principal, sourceIPAddress, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'rds.amazonaws.com'
  AND eventName IN ('ModifyDBInstance', 'ModifyDBCluster')
  AND element_at(requestParameters, 'masterUserPassword') IS NOT NULL
ORDER BY eventTime, eventID
