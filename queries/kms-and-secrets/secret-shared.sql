-- title: A secret's policy changed
-- answers: Which secrets were given a resource policy or replicated, and by whom?
-- severity: medium
-- outcomes: both
-- mitre: TA0003:T1098, TA0006:T1555.006
-- tags: secrets, policies
SELECT eventTime, recipientAccountId, awsRegion, eventName, element_at(requestParameters, 'secretId') AS secret,
       element_at(requestParameters, 'blockPublicPolicy') AS public_blocked, userIdentity.arn AS principal, sourceIPAddress,
       if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'secretsmanager.amazonaws.com'
  AND eventName IN ('PutResourcePolicy', 'DeleteResourcePolicy', 'ReplicateSecretToRegions')
ORDER BY eventTime, eventID
