-- title: The log of model calls switched off
-- answers: Who stopped Bedrock from logging prompts and answers?
-- severity: high
-- outcomes: both
-- mitre: TA0005:T1562.008
-- tags: bedrock, logging
SELECT eventTime, recipientAccountId, awsRegion, eventName, userIdentity.arn AS principal, sourceIPAddress,
       if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'bedrock.amazonaws.com'
  AND eventName IN ('DeleteModelInvocationLoggingConfiguration', 'PutModelInvocationLoggingConfiguration')
ORDER BY eventTime, eventID
