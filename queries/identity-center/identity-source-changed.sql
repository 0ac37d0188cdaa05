-- title: Where identities come from changed
-- answers: Who changed the directory or the identity provider behind IAM Identity Center?
-- severity: critical
-- outcomes: both
-- mitre: TA0003:T1484.002, TA0006:T1556
-- tags: identity-center, federation
SELECT eventTime, recipientAccountId, eventSource, eventName, userIdentity.arn AS principal, sourceIPAddress,
       if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource IN ('sso.amazonaws.com', 'sso-directory.amazonaws.com')
  AND eventName IN ('AssociateDirectory', 'DisassociateDirectory', 'EnableExternalIdPConfigurationForDirectory',
                    'DisableExternalIdPConfigurationForDirectory', 'UpdateExternalIdPConfigurationForDirectory',
                    'CreateExternalIdPConfigurationForDirectory', 'ImportExternalIdPCertificate')
ORDER BY eventTime, eventID
