-- title: Key material brought from outside
-- answers: Who imported key material, which its owner can take away again?
-- severity: medium
-- outcomes: both
-- mitre: TA0040:T1486
-- tags: kms, ransom
SELECT eventTime, recipientAccountId, awsRegion, element_at(requestParameters, 'keyId') AS key,
       element_at(requestParameters, 'expirationModel') AS expires, userIdentity.arn AS principal, sourceIPAddress,
       if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'kms.amazonaws.com'
  AND eventName = 'ImportKeyMaterial'
ORDER BY eventTime, eventID
