-- title: Commands and shells through Systems Manager
-- answers: Who ran commands on instances or opened sessions on them?
-- severity: low
-- outcomes: both
-- mitre: TA0002:T1651
-- tags: ec2, ssm
SELECT eventTime, recipientAccountId, awsRegion, eventName,
       coalesce(element_at(requestParameters, 'target'), element_at(requestParameters, 'instanceIds'),
                element_at(requestParameters, 'targets')) AS target,
       element_at(requestParameters, 'documentName') AS document, userIdentity.arn AS principal, sourceIPAddress,
       if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'ssm.amazonaws.com'
  AND eventName IN ('SendCommand', 'StartSession', 'ResumeSession')
ORDER BY eventTime, eventID
