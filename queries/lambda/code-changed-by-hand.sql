-- title: A function's code changed by a person
-- answers: Who replaced code from the console or with an IAM user's key, rather than a pipeline?
-- severity: medium
-- outcomes: both
-- mitre: TA0002:T1648, TA0003:T1525
-- tags: lambda
SELECT eventTime, recipientAccountId, awsRegion, element_at(requestParameters, 'functionName') AS function_name,
       userIdentity.arn AS principal, sessionCredentialFromConsole AS from_console, sourceIPAddress,
       if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'lambda.amazonaws.com'
  AND eventName LIKE 'UpdateFunctionCode%'
  AND (userIdentity.type IN ('IAMUser', 'Root') OR sessionCredentialFromConsole = 'true')
ORDER BY eventTime, eventID
