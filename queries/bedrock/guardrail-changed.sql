-- title: A guardrail deleted or changed
-- answers: Who deleted, changed or versioned a guardrail of Bedrock?
-- severity: medium
-- outcomes: both
-- mitre: TA0005:T1562.001
-- tags: bedrock
SELECT eventTime, recipientAccountId, awsRegion, eventName, element_at(requestParameters, 'guardrailIdentifier') AS guardrail,
       userIdentity.arn AS principal, sourceIPAddress, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'bedrock.amazonaws.com'
  AND eventName IN ('DeleteGuardrail', 'UpdateGuardrail')
ORDER BY eventTime, eventID
