-- title: A route to the internet
-- answers: Which route tables were given a way to every address?
-- severity: medium
-- outcomes: both
-- mitre: TA0005:T1578.005
-- tags: vpc
SELECT eventTime, recipientAccountId, awsRegion, element_at(requestParameters, 'routeTableId') AS route_table,
       element_at(requestParameters, 'gatewayId') AS gateway, userIdentity.arn AS principal, sourceIPAddress,
       if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName IN ('CreateRoute', 'ReplaceRoute')
  AND element_at(requestParameters, 'gatewayId') LIKE 'igw-%'
  AND (element_at(requestParameters, 'destinationCidrBlock') = '0.0.0.0/0'
       OR element_at(requestParameters, 'destinationIpv6CidrBlock') = '::/0')
ORDER BY eventTime, eventID
