-- title: A policy's default version swapped
-- answers: Who made a new version of a managed policy the default, or went back to an old one?
-- severity: high
-- outcomes: both
-- mitre: TA0004:T1098.003
-- tags: iam, policies
SELECT eventTime, recipientAccountId, eventName, element_at(requestParameters, 'policyArn') AS policy,
       element_at(requestParameters, 'versionId') AS version, userIdentity.arn AS principal, sourceIPAddress,
       if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'iam.amazonaws.com'
  AND (eventName = 'SetDefaultPolicyVersion'
       OR eventName = 'CreatePolicyVersion' AND element_at(requestParameters, 'setAsDefault') = 'true')
ORDER BY eventTime, eventID
