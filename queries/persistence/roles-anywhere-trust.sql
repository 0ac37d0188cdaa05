-- title: Certificates that may assume roles
-- answers: Who made a trust anchor or profile in IAM Roles Anywhere?
-- severity: high
-- outcomes: both
-- mitre: TA0003:T1098.001
-- tags: iam, federation
SELECT eventTime, recipientAccountId, awsRegion, eventName, element_at(requestParameters, 'name') AS name,
       element_at(requestParameters, 'roleArns') AS roles, userIdentity.arn AS principal, sourceIPAddress,
       if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'rolesanywhere.amazonaws.com'
  AND eventName IN ('CreateTrustAnchor', 'UpdateTrustAnchor', 'EnableTrustAnchor', 'CreateProfile', 'UpdateProfile')
ORDER BY eventTime, eventID
