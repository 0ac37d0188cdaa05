-- title: An instance's start-up script changed
-- answers: On which instances was user data replaced, which runs as root at the next start?
-- severity: high
-- outcomes: both
-- mitre: TA0002:T1059, TA0003:T1546
-- tags: ec2
SELECT eventTime, recipientAccountId, awsRegion, element_at(requestParameters, 'instanceId') AS instance,
       userIdentity.arn AS principal, sourceIPAddress, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'ModifyInstanceAttribute'
  AND (element_at(requestParameters, 'userData') IS NOT NULL OR element_at(requestParameters, 'attribute') = 'userData')
ORDER BY eventTime, eventID
