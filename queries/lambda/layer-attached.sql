-- title: A layer put under a function
-- answers: Which functions now run code of a layer, and does it come from another account?
-- severity: medium
-- outcomes: both
-- mitre: TA0003:T1525, TA0004:T1546
-- tags: lambda
SELECT eventTime, recipientAccountId, awsRegion, element_at(requestParameters, 'functionName') AS function_name,
       element_at(requestParameters, 'layers') AS layers,
       regexp_extract(element_at(requestParameters, 'layers'), ':([0-9]{12}):layer', 1) <> recipientAccountId AS foreign_layer,
       userIdentity.arn AS principal, sourceIPAddress, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'lambda.amazonaws.com'
  AND eventName LIKE 'UpdateFunctionConfiguration%'
  AND json_array_length(element_at(requestParameters, 'layers')) > 0
ORDER BY eventTime, eventID
