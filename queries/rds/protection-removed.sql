-- title: A database no longer protected
-- answers: Where was protection against deletion, backup or authentication by IAM switched off?
-- severity: medium
-- outcomes: both
-- mitre: TA0040:T1490, TA0040:T1485
-- tags: rds, backups
SELECT eventTime, recipientAccountId, awsRegion, eventName,
       coalesce(element_at(requestParameters, 'dBInstanceIdentifier'),
                element_at(requestParameters, 'dBClusterIdentifier')) AS database_name,
       element_at(requestParameters, 'deletionProtection') AS deletion_protection,
       element_at(requestParameters, 'backupRetentionPeriod') AS backup_days, userIdentity.arn AS principal, sourceIPAddress,
       if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'rds.amazonaws.com'
  AND eventName IN ('ModifyDBInstance', 'ModifyDBCluster')
  AND (element_at(requestParameters, 'deletionProtection') = 'false'
       OR element_at(requestParameters, 'backupRetentionPeriod') = '0'
       OR element_at(requestParameters, 'enableIAMDatabaseAuthentication') = 'false')
ORDER BY eventTime, eventID
