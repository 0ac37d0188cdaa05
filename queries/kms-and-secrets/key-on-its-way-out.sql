-- title: A key disabled or scheduled for deletion
-- answers: Which KMS keys were disabled or will be deleted, taking what they encrypt with them?
-- severity: high
-- outcomes: both
-- mitre: TA0040:T1485, TA0040:T1486
-- tags: kms, ransom
SELECT eventTime, recipientAccountId, awsRegion, eventName, element_at(requestParameters, 'keyId') AS key,
       element_at(requestParameters, 'pendingWindowInDays') AS days, userIdentity.arn AS principal, sourceIPAddress,
       if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'kms.amazonaws.com'
  AND eventName IN ('ScheduleKeyDeletion', 'DisableKey', 'DeleteImportedKeyMaterial', 'DisconnectCustomKeyStore')
ORDER BY eventTime, eventID
