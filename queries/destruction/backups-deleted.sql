-- title: Backups deleted or unlocked
-- answers: Who deleted recovery points, vaults or plans of AWS Backup, or the lock on a vault?
-- severity: high
-- outcomes: both
-- mitre: TA0040:T1490
-- tags: backups
SELECT eventTime, recipientAccountId, awsRegion, eventName,
       coalesce(element_at(requestParameters, 'backupVaultName'), element_at(requestParameters, 'backupPlanId')) AS target,
       element_at(requestParameters, 'recoveryPointArn') AS recovery_point, userIdentity.arn AS principal, sourceIPAddress,
       if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'backup.amazonaws.com'
  AND eventName IN ('DeleteRecoveryPoint', 'DeleteBackupVault', 'DeleteBackupPlan', 'DeleteBackupSelection',
                    'DeleteBackupVaultLockConfiguration', 'DisassociateRecoveryPoint')
ORDER BY eventTime, eventID
