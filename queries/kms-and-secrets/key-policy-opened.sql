-- title: A key's policy that names everyone
-- answers: Which KMS keys were given a policy with Principal "*", and did it bypass the lockout check?
-- severity: high
-- outcomes: both
-- mitre: TA0005:T1222, TA0006:T1555
-- tags: kms, policies
SELECT eventTime, recipientAccountId, awsRegion, element_at(requestParameters, 'keyId') AS key,
       element_at(requestParameters, 'bypassPolicyLockoutSafetyCheck') AS bypass, userIdentity.arn AS principal,
       sourceIPAddress, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'kms.amazonaws.com'
  AND eventName IN ('PutKeyPolicy', 'CreateKey')
  AND regexp_like(element_at(requestParameters, 'policy'), '("Principal"|"AWS")\s*:\s*\[?\s*"\*"')
ORDER BY eventTime, eventID
