-- title: Traffic mirrored
-- answers: Who set up or changed the mirroring of network traffic?
-- severity: high
-- outcomes: both
-- mitre: TA0006:T1040
-- tags: vpc
SELECT eventTime, recipientAccountId, awsRegion, eventName, userIdentity.arn AS principal, sourceIPAddress,
       if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName IN ('CreateTrafficMirrorSession', 'CreateTrafficMirrorTarget', 'CreateTrafficMirrorFilter',
                    'CreateTrafficMirrorFilterRule', 'ModifyTrafficMirrorSession', 'ModifyTrafficMirrorFilterRule')
ORDER BY eventTime, eventID
