-- title: A network joined to another account's
-- answers: Which VPCs were peered with a VPC of another account?
-- severity: medium
-- outcomes: both
-- mitre: TA0008:T1021.007, TA0010:T1537
-- tags: vpc
SELECT eventTime, recipientAccountId, awsRegion, eventName, element_at(requestParameters, 'vpcId') AS vpc,
       element_at(requestParameters, 'peerVpcId') AS peer_vpc, element_at(requestParameters, 'peerOwnerId') AS peer_account,
       userIdentity.arn AS principal, sourceIPAddress, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'CreateVpcPeeringConnection'
  AND element_at(requestParameters, 'peerOwnerId') <> recipientAccountId
ORDER BY eventTime, eventID
