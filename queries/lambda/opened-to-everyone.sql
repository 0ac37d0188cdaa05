-- title: A function that anyone may call
-- answers: Which Lambda functions were given a permission for Principal "*"?
-- severity: high
-- outcomes: both
-- mitre: TA0001:T1190, TA0003:T1546
-- tags: lambda, policies
SELECT eventTime, recipientAccountId, awsRegion, element_at(requestParameters, 'functionName') AS function_name,
       element_at(requestParameters, 'action') AS action, element_at(requestParameters, 'functionUrlAuthType') AS url_auth,
       userIdentity.arn AS principal, sourceIPAddress, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'lambda.amazonaws.com'
  AND eventName LIKE 'AddPermission%'
  AND element_at(requestParameters, 'principal') = '*'
ORDER BY eventTime, eventID
