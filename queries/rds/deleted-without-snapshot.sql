-- title: A database deleted without a last snapshot
-- answers: Which databases are gone for good, and who deleted them?
-- severity: high
-- outcomes: both
-- mitre: TA0040:T1485
-- tags: rds, backups
SELECT eventTime, recipientAccountId, awsRegion, eventName,
       coalesce(element_at(requestParameters, 'dBInstanceIdentifier'),
                element_at(requestParameters, 'dBClusterIdentifier')) AS database_name,
       element_at(requestParameters, 'deleteAutomatedBackups') AS backups_too, userIdentity.arn AS principal, sourceIPAddress,
       if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'rds.amazonaws.com'
  AND eventName IN ('DeleteDBInstance', 'DeleteDBCluster')
  AND element_at(requestParameters, 'skipFinalSnapshot') = 'true'
ORDER BY eventTime, eventID
