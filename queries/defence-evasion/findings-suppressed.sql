-- title: Security Hub disabled or its findings altered
-- answers: Who switched Security Hub off, or changed or archived findings?
-- severity: medium
-- outcomes: both
-- mitre: TA0005:T1562.001
-- tags: securityhub, detection
SELECT eventTime, recipientAccountId, awsRegion, eventName, userIdentity.arn AS principal, sourceIPAddress,
       if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'securityhub.amazonaws.com'
  AND eventName IN ('DisableSecurityHub', 'BatchUpdateFindings', 'UpdateFindings', 'DeleteInsight', 'UpdateInsight',
                    'BatchDisableStandards', 'UpdateStandardsControl', 'DeleteMembers', 'DisassociateMembers')
ORDER BY eventTime, eventID
