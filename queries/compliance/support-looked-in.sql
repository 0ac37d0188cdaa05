-- title: AWS Support looked in
-- answers: When did AWS Support use its role in an account, and for what?
-- severity: informational
-- outcomes: both
-- tags: sovereignty
SELECT eventTime, recipientAccountId, awsRegion, eventSource, eventName, userIdentity.arn AS principal, sourceIPAddress,
       if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE userAgent = 'support.amazonaws.com'
   OR userIdentity.sessionContext.sessionIssuer.userName = 'AWSServiceRoleForSupport'
ORDER BY eventTime, eventID
