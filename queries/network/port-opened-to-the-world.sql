-- title: A port opened to every address
-- answers: Which security groups let the whole internet in, on which request?
-- severity: high
-- outcomes: succeeded
-- mitre: TA0005:T1562.007
-- tags: ec2, vpc
SELECT eventTime, recipientAccountId, awsRegion, element_at(requestParameters, 'groupId') AS security_group,
       coalesce(json_extract_scalar(element_at(requestParameters, 'ipPermissions'), '$.items[0].fromPort'),
                element_at(requestParameters, 'fromPort')) AS first_port,
       userIdentity.arn AS principal, sourceIPAddress
FROM $EDS_ID
WHERE eventName = 'AuthorizeSecurityGroupIngress'
  AND errorCode IS NULL
  AND (element_at(requestParameters, 'ipPermissions') LIKE '%"cidrIp":"0.0.0.0/0"%'
       OR element_at(requestParameters, 'ipPermissions') LIKE '%"cidrIpv6":"::/0"%'
       OR element_at(requestParameters, 'cidrIp') = '0.0.0.0/0')
ORDER BY eventTime, eventID
