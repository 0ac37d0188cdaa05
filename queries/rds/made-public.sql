-- title: A database with a public address
-- answers: Which databases were made, changed or restored to be reachable from the internet?
-- severity: high
-- outcomes: both
-- mitre: TA0001:T1190
-- tags: rds
SELECT eventTime, recipientAccountId, awsRegion, eventName,
       element_at(requestParameters, 'dBInstanceIdentifier') AS database_name, userIdentity.arn AS principal, sourceIPAddress,
       if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'rds.amazonaws.com'
  AND eventName IN ('CreateDBInstance', 'ModifyDBInstance', 'RestoreDBInstanceFromDBSnapshot',
                    'RestoreDBInstanceToPointInTime')
  AND element_at(requestParameters, 'publiclyAccessible') = 'true'
ORDER BY eventTime, eventID
