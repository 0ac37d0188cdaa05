-- title: A network ACL that lets everybody in
-- answers: Which network ACL entries allow every address in?
-- severity: medium
-- outcomes: both
-- mitre: TA0005:T1562.007
-- tags: vpc
SELECT eventTime, recipientAccountId, awsRegion, eventName, element_at(requestParameters, 'networkAclId') AS acl,
       element_at(requestParameters, 'ruleNumber') AS rule, userIdentity.arn AS principal, sourceIPAddress,
       if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName IN ('CreateNetworkAclEntry', 'ReplaceNetworkAclEntry')
  AND element_at(requestParameters, 'ruleAction') = 'allow'
  AND element_at(requestParameters, 'egress') = 'false'
  AND (element_at(requestParameters, 'cidrBlock') = '0.0.0.0/0'
       OR element_at(requestParameters, 'ipv6CidrBlock') = '::/0')
ORDER BY eventTime, eventID
