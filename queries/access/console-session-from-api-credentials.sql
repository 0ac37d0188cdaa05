-- title: API credentials turned into a console session
-- answers: Who asked the federation endpoint for a sign-in token, other than the access portal itself?
-- severity: medium
-- outcomes: both
-- mitre: TA0008:T1550.001, TA0005:T1078.004
-- tags: console, sts
SELECT eventTime, recipientAccountId, userIdentity.arn AS principal, userIdentity.accessKeyId AS access_key, sourceIPAddress,
       userAgent, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'signin.amazonaws.com'
  AND eventName = 'GetSigninToken'
  AND userAgent NOT LIKE 'Jersey/%'
ORDER BY eventTime, eventID
