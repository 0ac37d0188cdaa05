-- title: The root user at work
-- answers: What did root users do, when and from where, other than what AWS did in their name?
-- severity: high
-- outcomes: both
-- mitre: TA0001:T1078.004
-- tags: root, iam
-- reference: https://docs.aws.amazon.com/IAM/latest/UserGuide/root-user-best-practices.html
SELECT eventTime, recipientAccountId, awsRegion, userIdentity.arn AS principal, sourceIPAddress, eventSource, eventName,
       userAgent, if(errorCode IS NULL AND errorMessage IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE userIdentity.type = 'Root'
  AND userIdentity.invokedBy IS NULL
  AND eventType <> 'AwsServiceEvent'
ORDER BY eventTime, eventID
