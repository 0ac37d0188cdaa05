-- title: Access to models asked for
-- answers: Who accepted agreements or asked for access to foundation models?
-- severity: medium
-- outcomes: both
-- mitre: TA0040:T1496.004, TA0042:T1583
-- tags: bedrock, cost
SELECT eventTime, recipientAccountId, awsRegion, eventName, element_at(requestParameters, 'modelId') AS model,
       userIdentity.arn AS principal, sourceIPAddress, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'bedrock.amazonaws.com'
  AND eventName IN ('CreateFoundationModelAgreement', 'PutFoundationModelEntitlement', 'PutUseCaseForModelAccess')
ORDER BY eventTime, eventID
