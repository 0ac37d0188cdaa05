-- title: SSH keys brought to instances
-- answers: Who imported a key pair, pushed a key for a minute, or opened the serial console?
-- severity: medium
-- outcomes: both
-- mitre: TA0003:T1098.004, TA0008:T1021.004
-- tags: ec2, keys
SELECT eventTime, recipientAccountId, awsRegion, eventName,
       coalesce(element_at(requestParameters, 'instanceId'), element_at(requestParameters, 'keyName')) AS target,
       element_at(requestParameters, 'instanceOSUser') AS os_user, userIdentity.arn AS principal, sourceIPAddress,
       if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventName IN ('ImportKeyPair', 'SendSSHPublicKey', 'SendSerialConsoleSSHPublicKey', 'EnableSerialConsoleAccess')
  AND eventSource IN ('ec2.amazonaws.com', 'ec2-instance-connect.amazonaws.com')
ORDER BY eventTime, eventID
