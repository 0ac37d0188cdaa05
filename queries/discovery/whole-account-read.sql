-- title: All of IAM read at once
-- answers: Who downloaded every user, role and policy of an account, or its credential report?
-- severity: medium
-- outcomes: both
-- mitre: TA0007:T1087.004, TA0007:T1069.003
-- tags: iam
SELECT eventTime, recipientAccountId, eventName, userIdentity.arn AS principal, sourceIPAddress, userAgent,
       if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('GetAccountAuthorizationDetails', 'GenerateCredentialReport', 'GetCredentialReport')
  AND coalesce(userIdentity.invokedBy, '') NOT LIKE '%.amazonaws.com'
ORDER BY eventTime, eventID
