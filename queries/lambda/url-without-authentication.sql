-- title: A function with a public address
-- answers: Which functions were given a URL that asks for no credentials?
-- severity: high
-- outcomes: both
-- mitre: TA0003:T1546, TA0001:T1190
-- tags: lambda
SELECT eventTime, recipientAccountId, awsRegion, eventName, element_at(requestParameters, 'functionName') AS function_name,
       userIdentity.arn AS principal, sourceIPAddress, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'lambda.amazonaws.com'
  AND regexp_like(eventName, '^(Create|Update)FunctionUrlConfig')
  AND element_at(requestParameters, 'authType') = 'NONE'
ORDER BY eventTime, eventID
